"""Reads of canonical rows in canonical order, as they stood after one run, in keyset pages.

"After run N" counts a version when its run is N or earlier and the run that replaced it is later. A source's runs are
serial, so this hides a run that has not finished, answers "what did we believe then?", and keeps every page of a long
read on one state without holding a transaction open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataspine.errors import RequestError

if TYPE_CHECKING:
    from dataspine.store.database import Database

PAGE_ROWS = 50_000
"""Rows of one page of a stream; one query of this size takes about 100 ms."""
_FIRST_US, _LAST_US = -(2**63), 2**63 - 1

MARKET_COLUMNS = (
    "symbol", "timestamp", "interval_s", "price", "volume", "open", "high", "low", "vwap", "trade_count",
    "volume_kind", "run_id", "position",
)  # fmt: skip
TRADE_COLUMNS = (
    "client_id", "trade_id", "symbol", "timestamp", "side", "quantity", "price", "venue", "exec_type",
    "ref_trade_id", "run_id", "position",
)  # fmt: skip
COLUMNS = {"market": MARKET_COLUMNS, "trade": TRADE_COLUMNS}
"""Columns of a page's rows by kind: the canonical fields, then where the version came from."""

_MARKET = (
    ":symbol, timestamp_us, interval_s, price, CAST(volume AS TEXT), open, high, low, vwap, trade_count,"
    " volume_kind, run_id, position"
)
_MARKET_WHERE = (
    "source_id = :source_id AND symbol_id = :symbol_id AND (timestamp_us, interval_s) > (:after_us, :after_s)"
    " AND timestamp_us < :end_us AND run_id <= :run_id"
)
_TRADE = (
    "client_id, trade_id, (SELECT y.symbol FROM symbols y WHERE y.symbol_id = t.symbol_id), timestamp_us, side,"
    " quantity, price, venue, exec_type, ref_trade_id, run_id, position"
)
_TRADE_WHERE = (
    "source_id = :source_id AND (client_id, trade_id) > (:after_client, :after_trade)"
    " AND timestamp_us >= :start_us AND timestamp_us < :end_us AND run_id <= :run_id"
    " AND (:symbol_id IS NULL OR symbol_id = :symbol_id)"
)
# Both halves are walked in key order and merged, so a page costs only its own rows.
_MARKET_PAGE = (
    f"SELECT {_MARKET} FROM market_data t WHERE {_MARKET_WHERE}"
    f" UNION ALL SELECT {_MARKET} FROM market_revisions t WHERE {_MARKET_WHERE} AND superseded_by > :run_id"
    " ORDER BY 2, 3 LIMIT :limit"
)
_TRADE_PAGE = (
    f"SELECT {_TRADE} FROM trade_data t WHERE {_TRADE_WHERE}"
    f" UNION ALL SELECT {_TRADE} FROM trade_revisions t WHERE {_TRADE_WHERE} AND superseded_by > :run_id"
    " ORDER BY 1, 2 LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """Which rows: of one source, perhaps of one symbol, with start <= timestamp < end, as known at an instant."""

    source: str
    symbol: str | None = None
    start_us: int | None = None
    end_us: int | None = None
    as_of_us: int | None = None
    """None for what is known now."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A source's rows as they stood after one of its runs."""

    source_id: int
    kind: str
    run_id: int
    """0 before the first run."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of a row's values."""
        return COLUMNS[self.kind]


def snapshot(database: Database, query: RecordQuery) -> Snapshot:
    """The state that a query reads: after the newest finished run, or the newest one finished by `as_of_us`.

    Raises: RequestError if nothing was ever ingested from the source.
    """
    found = database.one("SELECT source_id, kind FROM sources WHERE name = ?", (query.source,))
    if found is None:
        names = ", ".join(row[0] for row in database.rows("SELECT name FROM sources ORDER BY name LIMIT 20"))
        raise RequestError(
            "nothing was ever ingested from this source",
            found=query.source,
            cure=f"Sources with records: {names or 'none yet'}",
        )
    source_id, kind = int(found[0]), str(found[1])
    return Snapshot(source_id, kind, _newest_run(database, source_id, query.as_of_us))


def pages(
    database: Database, state: Snapshot, query: RecordQuery, *, page_rows: int = PAGE_ROWS
) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a query in canonical order, in pages that are full but for the last; none where there are no rows.

    Order: (symbol, timestamp, interval_s) for market, (client_id, trade_id) for trades, by code point.
    Raises: RequestError if the source never had the symbol.
    """
    read = _market_rows if state.kind == "market" else _trade_rows
    waiting: list[tuple[Any, ...]] = []
    for rows in read(database, state, query, page_rows):
        waiting += rows
        if len(waiting) >= page_rows:
            yield waiting[:page_rows]
            waiting = waiting[page_rows:]
    if waiting:
        yield waiting


def has_decimal_volumes(database: Database, state: Snapshot) -> bool:
    """Whether any run up to the snapshot declared volumes that need not be whole."""
    found = database.one(
        "SELECT 1 FROM source_profiles WHERE json_extract(profile_json, '$.volume') = 'decimal' AND config_hash IN"
        " (SELECT config_hash FROM runs WHERE source_id = ? AND run_id <= ?) LIMIT 1",
        (state.source_id, state.run_id),
    )
    return found is not None


def _newest_run(database: Database, source_id: int, as_of_us: int | None) -> int:
    """The newest finished run (by the instant), under every run that is still open."""
    found = database.one(
        "SELECT ifnull(max(run_id), 0) FROM runs WHERE source_id = ? AND finished_at_us <= ?"
        " AND run_id < ifnull((SELECT min(run_id) FROM runs WHERE state = 'running' AND source_id = ?), ?)",
        (source_id, _LAST_US if as_of_us is None else as_of_us, source_id, _LAST_US),
    )
    return int(found[0]) if found else 0


def _symbols(database: Database, state: Snapshot, query: RecordQuery) -> list[tuple[str, int]]:
    """The source's symbols and their numbers, by code point; only the one asked for where there is one."""
    found = database.rows(
        "SELECT symbol, symbol_id FROM symbols WHERE symbol_id IN"
        " (SELECT symbol_id FROM symbol_aliases WHERE source_id = ?) AND (? IS NULL OR symbol = ?) ORDER BY symbol",
        (state.source_id, query.symbol, query.symbol),
    )
    if query.symbol is not None and not found:
        raise RequestError("the source never had this symbol", found=query.symbol, where=query.source)
    return [(str(symbol), int(symbol_id)) for symbol, symbol_id in found]


def _market_rows(
    database: Database, state: Snapshot, query: RecordQuery, page_rows: int
) -> Iterator[list[tuple[Any, ...]]]:
    bounds = {
        "source_id": state.source_id,
        "run_id": state.run_id,
        "end_us": _LAST_US if query.end_us is None else query.end_us,
        "limit": page_rows,
    }
    start_us = _FIRST_US if query.start_us is None else query.start_us
    for symbol, symbol_id in _symbols(database, state, query):
        # No interval is negative, so this key stands just before every row of the first instant.
        after = (start_us, -1)
        while True:
            key = {"symbol": symbol, "symbol_id": symbol_id, "after_us": after[0], "after_s": after[1]}
            rows = database.rows(_MARKET_PAGE, bounds | key)
            yield rows
            if len(rows) < page_rows:
                break
            after = (rows[-1][1], rows[-1][2])


def _trade_rows(
    database: Database, state: Snapshot, query: RecordQuery, page_rows: int
) -> Iterator[list[tuple[Any, ...]]]:
    bounds = {
        "source_id": state.source_id,
        "run_id": state.run_id,
        "start_us": _FIRST_US if query.start_us is None else query.start_us,
        "end_us": _LAST_US if query.end_us is None else query.end_us,
        "symbol_id": None if query.symbol is None else _symbols(database, state, query)[0][1],
        "limit": page_rows,
    }
    after = ("", "")
    while True:
        rows = database.rows(_TRADE_PAGE, bounds | {"after_client": after[0], "after_trade": after[1]})
        yield rows
        if len(rows) < page_rows:
            break
        after = (rows[-1][0], rows[-1][1])
