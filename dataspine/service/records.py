"""Reads of stored records for front ends: a first look, and the digest of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataspine.clock import iso_from_us
from dataspine.store import records
from dataspine.store.records import RecordQuery

if TYPE_CHECKING:
    import polars as pl

    from dataspine.service.desk import Desk
    from dataspine.store.database import Database
    from dataspine.store.records import Snapshot

__all__ = ["RecordDigest", "RecordPage", "RecordQuery", "digest_of", "first_records", "frames"]


@dataclass(frozen=True, slots=True)
class RecordPage:
    """The first rows of a query."""

    source: str
    kind: str
    columns: tuple[str, ...]
    records: tuple[dict[str, Any], ...]
    """Canonical fields by name, times as ISO 8601 UTC, decimals as text; then `run_id` and `position`."""
    has_more: bool


@dataclass(frozen=True, slots=True)
class RecordDigest:
    """What a source's records are, as one hash."""

    source: str
    kind: str
    digest: str
    """SHA-256 over canonical lines in canonical order."""
    records: int
    run_id: int
    """Run after which the records stood so."""


def first_records(desk: Desk, query: RecordQuery, *, limit: int) -> RecordPage:
    """The first `limit` rows of a query, in canonical order.

    Raises: RequestError if the source or symbol is not known; StorageError.
    """
    with desk.reading() as database:
        state = records.snapshot(database, query)
        # One more than asked for tells whether there are more.
        rows = next(records.pages(database, state, query, page_rows=limit + 1), [])
        is_decimal = state.kind == "market" and records.has_decimal_volumes(database, state)
    shown = tuple(_document(state, row, is_decimal=is_decimal) for row in rows[:limit])
    return RecordPage(query.source, state.kind, state.columns, shown, len(rows) > limit)


def digest_of(desk: Desk, query: RecordQuery) -> RecordDigest:
    """The content of a query as one hash: how its records came in, and in which order, does not show in it.

    Raises: RequestError if the source or symbol is not known; StorageError.
    """
    from dataspine.pipeline.canonical import canonical_lines
    from dataspine.schemas.source import Kind

    content, count = hashlib.sha256(), 0
    with desk.reading() as database:
        state = records.snapshot(database, query)
        for frame in frames(database, state, query):
            content.update(canonical_lines(frame, Kind(state.kind)))
            count += frame.height
    return RecordDigest(query.source, state.kind, content.hexdigest(), count, state.run_id)


def frames(database: Database, state: Snapshot, query: RecordQuery) -> Iterator[pl.DataFrame]:
    """The rows of a query as canonical frames, in canonical order.

    Shapes: (50,000, canonical fields), the last one shorter. `timestamp` is in microseconds UTC.
    """
    import polars as pl

    from dataspine.pipeline.canonical import CANONICAL
    from dataspine.schemas.source import Kind

    fields = CANONICAL[Kind(state.kind)].fields
    for rows in records.pages(database, state, query):
        columns = dict(zip(state.columns, zip(*rows, strict=True), strict=True))
        yield pl.DataFrame([pl.Series(name, columns[name], dtype=dtype) for name, dtype in fields.items()])


def _document(state: Snapshot, row: tuple[Any, ...], *, is_decimal: bool) -> dict[str, Any]:
    record = dict(zip(state.columns, row, strict=True))
    record["timestamp"] = iso_from_us(record["timestamp"])
    if state.kind == "market" and not is_decimal:
        record["volume"] = int(record["volume"])
    return record
