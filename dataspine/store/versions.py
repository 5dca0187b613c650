"""Every version of canonical rows, current and replaced, with the run and the record it came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataspine.store.database import Database

_PAGE_ROWS = 50_000


def market_versions(database: Database, source: str) -> Iterator[list[tuple[Any, ...]]]:
    """Every version of a source's market rows, in pages: run, position, then the canonical fields."""
    fields = (
        "run_id, position, (SELECT y.symbol FROM symbols y WHERE y.symbol_id = t.symbol_id), timestamp_us,"
        " interval_s, price, CAST(volume AS TEXT), open, high, low, vwap, trade_count, volume_kind"
    )
    keys = ("symbol_id", "timestamp_us", "interval_s")
    yield from _pages(database, source, table="market_data", fields=fields, keys=keys)
    yield from _pages(database, source, table="market_revisions", fields=fields, keys=("revision_id",))


def trade_versions(database: Database, source: str) -> Iterator[list[tuple[Any, ...]]]:
    """Every version of a source's trades, in pages: run, position, then the canonical fields."""
    fields = (
        "run_id, position, client_id, trade_id, (SELECT y.symbol FROM symbols y WHERE y.symbol_id = t.symbol_id),"
        " timestamp_us, side, quantity, price, venue, exec_type, ref_trade_id"
    )
    keys = ("client_id", "trade_id")
    yield from _pages(database, source, table="trade_data", fields=fields, keys=keys)
    yield from _pages(database, source, table="trade_revisions", fields=fields, keys=("revision_id",))


def _pages(
    database: Database, source: str, *, table: str, fields: str, keys: tuple[str, ...]
) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of one table by keyset, without their keys."""
    names = ", ".join(keys)
    slots = ", ".join("?" for _ in keys)
    head = (
        f"SELECT {names}, {fields} FROM {table} t"
        " WHERE source_id = (SELECT source_id FROM sources WHERE name = ?)"
    )
    tail = f" ORDER BY {names} LIMIT {_PAGE_ROWS}"
    rows = database.rows(head + tail, (source,))
    while rows:
        yield [row[len(keys) :] for row in rows]
        after = rows[-1][: len(keys)]
        rows = database.rows(f"{head} AND ({names}) > ({slots}){tail}", (source, *after))
