"""Dead letters: written with the run that found them, changed only by compare-and-set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dataspine.schemas.dead_letter import DeadLetter, LetterState, NewLetter

if TYPE_CHECKING:
    from dataspine.store.sqlite import Connection


class KnownLetter(NamedTuple):
    """A letter that stands already."""

    letter_id: int
    state: str


_COLUMNS = (
    "d.letter_id, s.name, d.payload_id, p.sha256, p.object_name, d.run_id, d.scope, d.position, d.records, d.raw,"
    " d.context_json, d.reasons_json, d.code, d.fingerprint, d.rule_version, d.state, d.version, d.attempts,"
    " d.edited, d.created_at_us, d.changed_at_us, d.resolved_by_run, d.resolved_key, d.note"
)
_FROM = " FROM dead_letters d JOIN sources s USING (source_id) JOIN payloads p USING (payload_id)"


def insert(
    tx: Connection, letters: Iterable[NewLetter], *, source_id: int, payload_id: int, run_id: int, now_us: int
) -> int:
    """Write letters; one that its payload already has at that position stays as it is. The number written."""
    rows = [
        (
            source_id,
            payload_id,
            run_id,
            letter.scope,
            letter.position,
            letter.records,
            letter.raw,
            hashlib.sha256(letter.raw).hexdigest(),
            json.dumps(letter.context, sort_keys=True),
            letter.reasons_json,
            letter.code,
            letter.fingerprint,
            letter.rule_version,
            now_us,
            now_us,
        )
        for letter in letters
    ]
    cursor = tx.executemany(
        "INSERT INTO dead_letters (source_id, payload_id, run_id, scope, position, records, raw, raw_sha256,"
        " context_json, reasons_json, code, fingerprint, rule_version, created_at_us, changed_at_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (payload_id, scope, position) DO NOTHING",
        rows,
    )
    return max(int(cursor.rowcount), 0)


def of_payload(tx: Connection, payload_id: int) -> dict[tuple[str, int], KnownLetter]:
    """Letters that a payload has already: (scope, position) to number and state."""
    found = tx.execute(
        "SELECT scope, position, letter_id, state FROM dead_letters WHERE payload_id = ?", (payload_id,)
    )
    return {
        (str(scope), int(position)): KnownLetter(int(letter_id), str(state))
        for scope, position, letter_id, state in found.fetchall()
    }


def remove_of_run(tx: Connection, run_id: int, payload_id: int) -> None:
    """Take back the letters of a run that never finished."""
    tx.execute("DELETE FROM dead_letters WHERE payload_id = ? AND run_id = ?", (payload_id, run_id))


def find(tx: Connection, letter_id: int) -> DeadLetter | None:
    """One letter, whole."""
    row = tx.execute(f"SELECT {_COLUMNS}{_FROM} WHERE d.letter_id = ?", (letter_id,)).fetchone()
    return None if row is None else DeadLetter(*row)


def page(
    tx: Connection,
    *,
    after: int = 0,
    limit: int = 100,
    filters: dict[str, Any] | None = None,
) -> list[DeadLetter]:
    """Letters in order of number, by keyset. Filters: source, state, code, fingerprint, payload_sha256."""
    names = {
        "source": "s.name",
        "state": "d.state",
        "code": "d.code",
        "fingerprint": "d.fingerprint",
        "payload_sha256": "p.sha256",
    }
    given = {name: value for name, value in (filters or {}).items() if value is not None}
    where = "".join(f" AND {names[name]} = ?" for name in given)
    rows = tx.execute(
        f"SELECT {_COLUMNS}{_FROM} WHERE d.letter_id > ?{where} ORDER BY d.letter_id LIMIT ?",
        (after, *given.values(), limit),
    )
    return [DeadLetter(*row) for row in rows.fetchall()]


def change(
    tx: Connection, letter: DeadLetter, *, now_us: int, state: LetterState | None = None, **values: object
) -> bool:
    """Change a letter if nobody did since it was read; whether it was changed.

    `values` may name edited, reasons_json, code, fingerprint, rule_version, attempts, resolved_by_run, resolved_key,
    note.
    """
    sets = {"state": state or letter.state, **values}
    assignments = ", ".join(f"{name} = ?" for name in sets)
    cursor = tx.execute(
        f"UPDATE dead_letters SET {assignments}, changed_at_us = ?, version = version + 1"
        " WHERE letter_id = ? AND version = ?",
        (*sets.values(), now_us, letter.letter_id, letter.version),
    )
    return int(cursor.rowcount) == 1


def resolve_many(tx: Connection, letter_ids: Sequence[int], *, run_id: int, now_us: int) -> list[int]:
    """Mark letters that are still open as stored by a later run of their payload. Those marked."""
    statement = (
        "UPDATE dead_letters SET state = 'resolved', resolved_by_run = ?, changed_at_us = ?, version = version + 1,"
        " attempts = attempts + 1 WHERE letter_id = ? AND state = 'open'"
    )
    return [number for number in letter_ids if tx.execute(statement, (run_id, now_us, number)).rowcount]


def reopen(tx: Connection, letter_id: int, *, now_us: int) -> bool:
    """Open a resolved letter again; whether it was one."""
    cursor = tx.execute(
        "UPDATE dead_letters SET state = 'open', resolved_by_run = NULL, resolved_key = NULL, changed_at_us = ?,"
        " version = version + 1, attempts = attempts + 1 WHERE letter_id = ? AND state = 'resolved'",
        (now_us, letter_id),
    )
    return int(cursor.rowcount) == 1


def groups(tx: Connection, *, state: str = "open", source: str | None = None) -> list[tuple[Any, ...]]:
    """Letters of one state by source and fingerprint: (source, fingerprint, code, letters, first, last), most first."""
    where = " AND s.name = ?" if source else ""
    found = tx.execute(
        "SELECT s.name, d.fingerprint, d.code, count(*), min(d.letter_id), max(d.letter_id)"
        f"{_FROM} WHERE d.state = ?{where} GROUP BY s.name, d.fingerprint ORDER BY count(*) DESC, min(d.letter_id)",
        (state, *([source] if source else [])),
    )
    return [tuple(row) for row in found.fetchall()]
