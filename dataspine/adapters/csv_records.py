"""Delimited text becomes chunks of text columns; the result depends on the bytes alone, not on how they are cut.

One broken line never costs a neighbour. Limits: docs/reference/limits.md.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import polars as pl

from dataspine.adapters.csv_layout import (
    check_marks,
    find_header,
    layout_from_header,
    layout_from_shape,
)
from dataspine.adapters.csv_lines import few_lines, line_blocks, line_count
from dataspine.adapters.csv_segment import Segment, read_record_segment, read_segment
from dataspine.errors import PayloadError
from dataspine.schemas.payload import BLOCK_BYTES, CHUNK_RECORDS, RawChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dataspine.adapters.csv_layout import CsvLayout
    from dataspine.adapters.csv_lines import LineBlocks
    from dataspine.schemas.source import CsvShape


def read_csv_chunks(
    blocks: Iterable[bytes],
    shape: CsvShape,
    paths: Sequence[str],
    *,
    optional: frozenset[str] = frozenset(),
    chunk_records: int = CHUNK_RECORDS,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[RawChunk]:
    """Records of UTF-8 blocks in chunks of exactly `chunk_records`; only the last may be shorter, or empty.

    `paths` are the columns asked for; those in `optional` may be missing from the header. All lines that are no
    records are counted in the last chunk. About `block_bytes` are worked on, and held, at a time.
    Raises: PayloadError if the text has no records' form: EMPTY, HEADER_MISSING, HEADER_DUPLICATE, SIZE.
    """
    skipped: Counter[str] = Counter()
    stream = line_blocks(blocks, block_bytes=block_bytes)
    layout, body = _opened(stream, shape, paths, optional=optional, skipped=skipped)
    pending: list[Segment] = []
    count = 0
    for segment in _segments(body, layout, skipped):
        pending.append(segment)
        count += segment.records
        while count > chunk_records:
            head, pending = _split(pending, chunk_records)
            count -= chunk_records
            yield _chunk(head, layout, {})
    if not count and not shape.header and not +(skipped - Counter(blank=skipped["blank"])):
        raise PayloadError("EMPTY", "expected records, the text has none")
    yield _chunk(pending, layout, dict(+skipped))


def read_csv_record(
    raw: bytes,
    shape: CsvShape,
    paths: Sequence[str],
    *,
    header: str,
    optional: frozenset[str] = frozenset(),
) -> RawChunk:
    """One record again, from its bytes and its file's header line; the verdict is the one it had in its file.

    Raises: PayloadError if the header does not have the columns asked for.
    """
    layout = (
        layout_from_header(header.encode(), shape, paths, optional=optional)
        if shape.header
        else layout_from_shape(shape, paths, optional=optional)
    )
    return _chunk([read_record_segment(raw, layout)], layout, {})


def _opened(
    stream: LineBlocks,
    shape: CsvShape,
    paths: Sequence[str],
    *,
    optional: frozenset[str],
    skipped: Counter[str],
) -> tuple[CsvLayout, LineBlocks]:
    """The layout of the text, and the line blocks behind its header."""
    check_marks(shape)
    if not shape.header:
        return layout_from_shape(shape, paths, optional=optional), stream
    has_text = False
    for text, is_last in stream:
        header = find_header(text, shape)
        skipped.update(header.skipped)
        if header.line is not None:
            layout = layout_from_header(header.line, shape, paths, optional=optional)
            return layout, chain([(text[header.end :], is_last)], stream)
        has_text = has_text or bool(text.strip())
    if not has_text:
        raise PayloadError("EMPTY", "expected a header and records, the text has none")
    raise PayloadError("HEADER_MISSING", "expected a header line, the text has none")


def _segments(stream: LineBlocks, layout: CsvLayout, skipped: Counter[str]) -> Iterator[Segment]:
    """Runs of records in order; lines that are none are counted in `skipped`."""
    position = 1
    rest = b""
    footer_started = False
    for block, is_last in few_lines(stream):
        text = rest + block
        if footer_started:
            skipped["footer"] += line_count(text)
        elif text:
            segment = read_segment(text, layout, first_position=position, is_last=is_last)
            rest, footer_started = segment.rest, segment.footer_started
            position += segment.records
            skipped.update(segment.skipped)
            yield segment


def _split(segments: list[Segment], records: int) -> tuple[list[Segment], list[Segment]]:
    """The first `records` records, and the others."""
    head: list[Segment] = []
    for index, segment in enumerate(segments):
        if segment.records > records:
            first, second = _cut(segment, records)
            return [*head, first], [second, *segments[index + 1 :]]
        head.append(segment)
        records -= segment.records
    return head, []


def _cut(segment: Segment, records: int) -> tuple[Segment, Segment]:
    """A segment in two, the first with `records` records."""
    position = segment.first_position + records
    row = segment.frame["position"].search_sorted(position)
    fault = bisect_left(segment.faults, position, key=lambda fault: fault.position)
    first = replace(segment, records=records, frame=segment.frame[:row], faults=segment.faults[:fault])
    second = replace(
        segment,
        first_position=position,
        records=segment.records - records,
        frame=segment.frame[row:],
        faults=segment.faults[fault:],
    )
    return first, second


def _chunk(segments: Sequence[Segment], layout: CsvLayout, skipped: dict[str, int]) -> RawChunk:
    """Segments as one chunk."""
    frames = [segment.frame for segment in segments]
    faults = [fault for segment in segments for fault in segment.faults]
    return RawChunk(
        frame=pl.concat(frames) if frames else layout.empty_frame(),
        faults=faults,
        broken=frozenset(fault.position for fault in faults),
        raw=_raw_of(segments),
        context={"header": layout.header},
        skipped=skipped,
    )


def _raw_of(segments: Sequence[Segment]) -> Callable[[Sequence[int]], list[bytes]]:
    """The look-up of records' bytes over several segments."""
    spans = [
        (range(part.first_position, part.first_position + part.records), part.lines) for part in segments
    ]

    def raw(positions: Sequence[int]) -> list[bytes]:
        records: dict[int, bytes] = {}
        for span, lines in spans:
            wanted = [position for position in positions if position in span]
            if wanted:
                records.update(zip(wanted, lines.raw(wanted), strict=True))
        return [records[position] for position in positions]

    return raw
