"""Sources, their profiles as they were, and the symbols they use."""

from __future__ import annotations

import json
from collections.abc import Sequence

from dataspine.errors import ConfigError
from dataspine.store.sqlite import Connection


def source_row(
    tx: Connection, name: str, *, kind: str, config_hash: str, profile_json: str, now_us: int
) -> int:
    """Number of a source, whose row and profile are made or brought up to date.

    Raises: ConfigError if the source has records of the other kind.
    """
    found = tx.execute("SELECT source_id, config_hash, kind FROM sources WHERE name = ?", (name,)).fetchone()
    if found is None:
        cursor = tx.execute(
            "INSERT INTO sources (name, kind, config_hash, created_at_us) VALUES (?, ?, ?, ?)",
            (name, kind, config_hash, now_us),
        )
        source_id = int(cursor.lastrowid or 0)
    else:
        source_id = int(found[0])
        if found[2] != kind:
            raise ConfigError(
                "a source keeps its kind",
                found=f"{kind}, its records are {found[2]}",
                where=f"sources.{name}.kind",
                cure="Give the new records a source of their own",
            )
        if found[1] != config_hash:
            tx.execute("UPDATE sources SET config_hash = ? WHERE source_id = ?", (config_hash, source_id))
    tx.execute(
        "INSERT OR IGNORE INTO source_profiles (config_hash, source_id, profile_json, first_used_us)"
        " VALUES (?, ?, ?, ?)",
        (config_hash, source_id, profile_json, now_us),
    )
    return source_id


def find_source(tx: Connection, name: str) -> int | None:
    """Number of a source; None if nothing was ever ingested from it."""
    found = tx.execute("SELECT source_id FROM sources WHERE name = ?", (name,)).fetchone()
    return None if found is None else int(found[0])


def profile_json(tx: Connection, config_hash: str) -> str | None:
    """A profile as it was when a run used it."""
    found = tx.execute(
        "SELECT profile_json FROM source_profiles WHERE config_hash = ?", (config_hash,)
    ).fetchone()
    return None if found is None else str(found[0])


def last_profile_json(tx: Connection, name: str) -> str | None:
    """The profile that a source was used with last; None if it never was."""
    found = tx.execute(
        "SELECT profile_json FROM sources JOIN source_profiles USING (config_hash) WHERE name = ?", (name,)
    ).fetchone()
    return None if found is None else str(found[0])


def count_run(tx: Connection, source_id: int, run_id: int, *, inserted: int) -> None:
    """Take a finished run into the source's counters."""
    tx.execute(
        "UPDATE sources SET rows_stored = rows_stored + ?, last_run_id = ? WHERE source_id = ?",
        (inserted, run_id, source_id),
    )


def symbol_numbers(connection: Connection, symbols: Sequence[str]) -> dict[str, int]:
    """Numbers of canonical symbols; those that nobody ever stored get passing ones below zero."""
    numbers = {}
    for place, symbol in enumerate(symbols, start=1):
        found = connection.execute("SELECT symbol_id FROM symbols WHERE symbol = ?", (symbol,)).fetchone()
        numbers[symbol] = -place if found is None else int(found[0])
    return numbers


class SymbolNumbers:
    """Numbers of symbols for one source; new ones get a row in the transaction at hand."""

    def __init__(self, source_id: int, symbology: str) -> None:
        self._source_id = source_id
        self._symbology = symbology
        self._numbers: dict[str, int] = {}
        self._aliases: set[tuple[str, str]] = set()

    def numbers(self, tx: Connection, pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
        """Number of each canonical symbol among (source symbol, symbol) pairs."""
        new = [pair for pair in pairs if pair not in self._aliases]
        if new:
            self._recall(tx, [source_symbol for source_symbol, _ in new])
        for pair in new:
            if pair not in self._aliases:
                self._learn(tx, *pair)
        return self._numbers

    def forget(self) -> None:
        """Drop what was learned in a transaction that was rolled back."""
        self._numbers.clear()
        self._aliases.clear()

    def _recall(self, tx: Connection, source_symbols: list[str]) -> None:
        """Take in what the store knows of these symbols."""
        known = tx.execute(
            "SELECT source_symbol, symbol, symbol_id FROM symbol_aliases JOIN symbols USING (symbol_id)"
            " WHERE source_id = ? AND source_symbol IN (SELECT value FROM json_each(?))",
            (self._source_id, json.dumps(source_symbols)),
        )
        for source_symbol, symbol, number in known.fetchall():
            self._numbers[symbol] = number
            self._aliases.add((source_symbol, symbol))

    def _learn(self, tx: Connection, source_symbol: str, symbol: str) -> None:
        found = tx.execute("SELECT symbol_id FROM symbols WHERE symbol = ?", (symbol,)).fetchone()
        if found is None:
            number = int(tx.execute("INSERT INTO symbols (symbol) VALUES (?)", (symbol,)).lastrowid or 0)
        else:
            number = int(found[0])
        tx.execute(
            "INSERT OR IGNORE INTO symbol_aliases (source_id, source_symbol, symbol_id, symbology) VALUES (?, ?, ?, ?)",
            (self._source_id, source_symbol, number, self._symbology),
        )
        self._numbers[symbol] = number
        self._aliases.add((source_symbol, symbol))
