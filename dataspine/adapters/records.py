"""From a document's text to chunks of records, by the source's declared format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from dataspine.adapters.csv_records import read_csv_chunks, read_csv_record
from dataspine.adapters.json_records import read_json_chunks, read_json_record
from dataspine.schemas.payload import CHUNK_RECORDS
from dataspine.schemas.source import Kind

if TYPE_CHECKING:
    from dataspine.schemas.payload import RawChunk
    from dataspine.schemas.source import SourceProfile

OPTIONAL_FIELDS = {
    Kind.MARKET: frozenset({"open", "high", "low", "vwap", "trade_count", "interval_s", "volume_kind"}),
    Kind.TRADE: frozenset({"exec_type", "ref_trade_id"}),
}
"""Canonical fields whose column or path may be missing altogether."""


def read_chunks(
    blocks: Iterable[bytes], profile: SourceProfile, *, chunk_records: int = CHUNK_RECORDS
) -> Iterator[RawChunk]:
    """Chunks of a document's records as text columns, one a wire path of the mapping.

    Raises: PayloadError if the document is not what the profile declares.
    """
    if profile.format == "csv":
        return read_csv_chunks(
            blocks,
            profile.csv,
            profile.wire_paths(),
            optional=optional_paths(profile),
            chunk_records=chunk_records,
        )
    return read_json_chunks(
        blocks,
        profile.json_shape,
        profile.wire_paths(),
        lines=profile.format == "ndjson",
        envelope_paths=envelope_paths(profile),
        text_paths=symbol_paths(profile),
        chunk_records=chunk_records,
    )


def read_record(raw: bytes, profile: SourceProfile, context: dict[str, str]) -> RawChunk:
    """One record again, from its bytes and what its format needs besides.

    `context` is that of the record's dead letter: `header`, `key:`, `envelope:<path>`.
    """
    if profile.format == "csv":
        return read_csv_record(
            raw,
            profile.csv,
            profile.wire_paths(),
            header=context.get("header", ""),
            optional=optional_paths(profile),
        )
    chunk = read_json_record(raw, profile.json_shape, profile.wire_paths(), text_paths=symbol_paths(profile))
    around = {name: pl.lit(text) for name, text in context.items() if name.startswith(("envelope:", "key:"))}
    return replace(chunk, frame=chunk.frame.with_columns(**around))


def record_contexts(chunk: RawChunk, positions: Sequence[int]) -> list[dict[str, str]]:
    """What each of these records needs besides its bytes to be read alone."""
    names = [name for name in chunk.frame.columns if name.startswith("envelope:")]
    has_around = bool(names) and not chunk.frame.is_empty()
    around = chunk.frame.select(names).row(0, named=True) if has_around else {}
    shared = {**chunk.context, **{name: text for name, text in around.items() if text is not None}}
    if chunk.keys is None:
        return [shared for _ in positions]
    return [{**shared, "key:": key} for key in chunk.keys(positions)]


def optional_paths(profile: SourceProfile) -> frozenset[str]:
    """Wire paths that only fields without which a record is whole read."""
    optional = OPTIONAL_FIELDS[profile.kind]
    needed: set[str] = set(profile.skip_when)
    paths: set[str] = set()
    for name, mapping in profile.fields.items():
        has_others = len(mapping.wire_paths()) > 1 and not mapping.join
        may_miss = name in optional or mapping.optional or has_others
        (paths if may_miss else needed).update(mapping.wire_paths())
    return frozenset(paths - needed)


def envelope_paths(profile: SourceProfile) -> tuple[str, ...]:
    """Paths in the document around the records."""
    return tuple(mapping.envelope for mapping in profile.fields.values() if mapping.envelope)


def symbol_paths(profile: SourceProfile) -> frozenset[str]:
    """Paths that must hold a JSON string: a number has lost its leading zeros."""
    mapping = profile.fields.get("symbol")
    return frozenset(mapping.wire_paths()) if mapping else frozenset()
