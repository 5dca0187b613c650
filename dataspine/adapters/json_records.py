"""JSON text to chunks of text columns: arrays, lines, envelopes, maps of symbols and single records.

Arrays and lines are streams: memory is bounded by block, window and chunk, whatever the size of the file. An object has
to be held whole, up to MAX_DOCUMENT_BYTES. Nothing here depends on how the bytes come in blocks.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from dataspine.adapters.json_columns import Part, RecordColumns, array_of
from dataspine.adapters.json_document import ENVELOPE_PREFIX, JsonDocument, Surroundings
from dataspine.adapters.json_exact import BrokenRecord, inert_excerpt, parse_strictly
from dataspine.adapters.json_scan import KEPT_BYTES, SPACE_BYTES, WINDOW_BYTES, Cursor, Run, array_batches
from dataspine.errors import PayloadError
from dataspine.schemas.payload import CHUNK_RECORDS, MAX_DOCUMENT_BYTES, MAX_RECORDS, Fault, RawChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dataspine.schemas.source import JsonShape

KEY_COLUMN = "key:"
"""Column of the keys in a map of symbols."""
MAX_CHUNK_BYTES = 32 * 1024**2
"""Bytes of records after which a chunk ends early."""
_MAP_RECORDS = 1_024
"""Records of a map that are read together."""


def read_json_chunks(
    blocks: Iterable[bytes],
    shape: JsonShape,
    paths: Sequence[str],
    *,
    lines: bool,
    envelope_paths: Sequence[str] = (),
    text_paths: frozenset[str] = frozenset(),
    chunk_records: int = CHUNK_RECORDS,
    window_bytes: int = WINDOW_BYTES,
) -> Iterator[RawChunk]:
    """Records of a JSON document, or of JSON lines, as text columns.

    A path is a chain of keys, `quote.latestPrice`; where `shape.unwrap` is a key of the record, its object holds the
    paths. At `text_paths` a number is a fault: it cannot be told from text any more once it is text. A key given twice
    breaks a record only where a path looks it up. Values at `envelope_paths` stand in columns `envelope:<path>`, keys
    of a map in `key:`. A chunk ends after `chunk_records` records, or earlier if they are large.

    Raises: PayloadError if the text around the records is not what it should be; some chunks may be out by then.
    """
    columns = RecordColumns(paths, text_paths=text_paths, unwrap=shape.unwrap)
    cursor = Cursor(blocks)
    around = Surroundings({ENVELOPE_PREFIX + path: None for path in envelope_paths})
    window_bytes = min(window_bytes, WINDOW_BYTES)
    if lines:
        parts = _line_parts(cursor, columns, window_bytes)
    elif cursor.skip_space() == b"{":
        before_bytes = cursor.offset
        text = cursor.rest(MAX_DOCUMENT_BYTES)
        document = JsonDocument(text, shape, envelope_paths=envelope_paths, before_bytes=before_bytes)
        parts = _document_parts(document, columns, window_bytes)
        around = document.surroundings()
    else:
        _require_array(cursor, shape)
        parts = _whole_array_parts(cursor, columns, window_bytes)
    for chunk_parts in _regrouped(parts, chunk_records):
        yield _chunk(chunk_parts, around)


def read_json_record(
    raw: bytes, shape: JsonShape, paths: Sequence[str], *, text_paths: frozenset[str] = frozenset()
) -> RawChunk:
    """One record again, from its bytes alone; the verdict is that of the first reading."""
    columns = RecordColumns(paths, text_paths=text_paths, unwrap=shape.unwrap)
    return _chunk([columns.part_of_records([_record_bytes(raw)], first=1)], Surroundings({}))


def _require_array(cursor: Cursor, shape: JsonShape) -> None:
    """Raises: PayloadError if what stands here is not an array where one may stand."""
    first = cursor.peek()
    if first == b"[" and shape.records in ("auto", "array"):
        return
    if not first:
        raise PayloadError("EMPTY", "expected JSON", found="nothing but white space")
    if first == b"[":
        raise PayloadError("JSON_SHAPE", f"expected an object ({shape.records})", found="an array")
    offset = cursor.offset
    text = cursor.rest(MAX_DOCUMENT_BYTES)
    try:
        parse_strictly(text)
    except BrokenRecord as broken:
        found = inert_excerpt(text)
        raise PayloadError("JSON_SYNTAX", "expected JSON", found=found, where=f"byte {offset}") from broken
    raise PayloadError("JSON_SHAPE", "expected an array or an object", found=inert_excerpt(text))


def _whole_array_parts(cursor: Cursor, columns: RecordColumns, window_bytes: int) -> Iterator[Part]:
    """Records of an array that is the document."""
    yield from _array_parts(cursor, columns, window_bytes)
    if cursor.skip_space():
        cursor.refuse("the end of the text")


def _array_parts(cursor: Cursor, columns: RecordColumns, window_bytes: int) -> Iterator[Part]:
    position = 1
    for batch in array_batches(cursor, columns.decode, window_bytes=window_bytes):
        if isinstance(batch, Run):
            part = columns.part_of_run(batch.piece, batch.decoded, first=position)
        else:
            part = columns.part_of_records(batch, first=position)
        position += part.count
        yield part


def _document_parts(document: JsonDocument, columns: RecordColumns, window_bytes: int) -> Iterator[Part]:
    layout = document.layout()
    if layout.array_start is not None:
        return _array_parts(document.cursor(layout.array_start), columns, window_bytes)
    return (
        columns.part_of_records(
            [document.raw(span) for span in layout.records[start : start + _MAP_RECORDS]],
            first=start + 1,
            keys=layout.keys[start : start + _MAP_RECORDS],
        )
        for start in range(0, len(layout.records), _MAP_RECORDS)
    )


def _line_parts(cursor: Cursor, columns: RecordColumns, window_bytes: int) -> Iterator[Part]:
    """Records that have a line each.

    Raises: PayloadError at the end if there was none.
    """
    position = 1
    while cursor.fill(window_bytes):
        lines, is_long = _lines(cursor, window_bytes)
        decoded = None if is_long else columns.decode_lines(lines)
        if decoded is None:
            raws = lines if is_long else [raw for line in lines if (raw := line.strip(SPACE_BYTES))]
            part = columns.part_of_records(raws, first=position)
        else:
            # Each line is an object by itself, so that this is an array of just these.
            part = columns.part_of_run(array_of(lines), decoded, first=position)
        position += part.count
        yield replace(part, blank_lines=len(lines) - part.count)
    if position == 1:
        raise PayloadError("EMPTY", "expected JSON lines", found="nothing but white space")


def _lines(cursor: Cursor, window_bytes: int) -> tuple[list[bytes], bool]:
    """Lines of the window, and whether it is one without an end there; it comes without white space around it."""
    start = cursor.pos
    end = cursor.buffer.rfind(b"\n", start, start + window_bytes)
    if end >= 0:
        cursor.pos = end + 1
        return cursor.buffer[start:end].split(b"\n"), False
    cursor.fill(KEPT_BYTES)
    start = cursor.pos
    end = cursor.buffer.find(b"\n", start)
    kept = _record_bytes(
        cursor.buffer[start : start + KEPT_BYTES if end < 0 else min(end, start + KEPT_BYTES)]
    )
    while end < 0:
        cursor.pos = len(cursor.buffer)
        if not cursor.fill(1):
            return [kept], bool(kept)
        end = cursor.buffer.find(b"\n", cursor.pos)
    cursor.pos = end + 1
    return [kept], bool(kept)


def _record_bytes(line: bytes) -> bytes:
    """A line without white space around the record; one that was cut off stays as long as it is, and so too long."""
    return line if len(line) >= KEPT_BYTES else line.strip(SPACE_BYTES)


def _regrouped(parts: Iterable[Part], chunk_records: int) -> Iterator[list[Part]]:
    """Parts cut and put together to chunks.

    Raises: PayloadError if there are more than MAX_RECORDS records.
    """
    group: list[Part] = []
    count = size_bytes = 0
    for whole in parts:
        if whole.first + whole.count - 1 > MAX_RECORDS:
            raise PayloadError("SIZE", f"expected at most {MAX_RECORDS} records", found="more")
        part = whole
        while count + part.count >= chunk_records:
            head, part = part.split(chunk_records - count)
            yield [*group, head]
            group, count, size_bytes = [], 0, 0
        if part.count or part.blank_lines:
            group.append(part)
            count += part.count
            size_bytes += part.size_bytes
        if size_bytes >= MAX_CHUNK_BYTES:
            yield group
            group, count, size_bytes = [], 0, 0
    if group:
        yield group


def _chunk(parts: Sequence[Part], around: Surroundings) -> RawChunk:
    frame = pl.concat([part.frame for part in parts])
    faults = [fault for part in parts for fault in part.faults]
    for part in parts if around.complaints else ():
        positions = range(part.first, part.first + part.count)
        faults += [Fault(position, *complaint) for position in positions for complaint in around.complaints]
    broken = frozenset().union(*(part.broken for part in parts))
    has_keys = any(part.keys for part in parts)
    if has_keys:
        keys = _keys_of(parts)(frame["position"].to_list())
        frame = frame.with_columns(pl.Series(KEY_COLUMN, keys, dtype=pl.String))
    blank_lines = sum(part.blank_lines for part in parts)
    if around.texts:
        constants = [pl.lit(text, dtype=pl.String).alias(column) for column, text in around.texts.items()]
        frame = frame.with_columns(constants)
    return RawChunk(
        frame=frame,
        faults=sorted(faults, key=lambda fault: fault.position),
        broken=broken,
        raw=_raws_of(parts),
        context={column: text for column, text in around.texts.items() if text is not None},
        skipped={"blank": blank_lines} if blank_lines else {},
        keys=_keys_of(parts) if has_keys else None,
    )


def _part_at(parts: Sequence[Part], position: int) -> Part:
    """The part that holds a record.

    Raises: IndexError if none does.
    """
    part = parts[bisect_right(parts, position, key=lambda part: part.first) - 1]
    if not part.first <= position < part.first + part.count:
        raise IndexError(position)
    return part


def _raws_of(parts: Sequence[Part]) -> Callable[[Sequence[int]], list[bytes]]:
    def raw(positions: Sequence[int]) -> list[bytes]:
        listed: dict[int, Sequence[bytes]] = {}
        found = []
        for position in positions:
            part = _part_at(parts, position)
            if part.first not in listed:
                listed[part.first] = part.raws()
            found.append(listed[part.first][position - part.origin])
        return found

    return raw


def _keys_of(parts: Sequence[Part]) -> Callable[[Sequence[int]], list[str]]:
    def keys(positions: Sequence[int]) -> list[str]:
        found = ((_part_at(parts, position), position) for position in positions)
        return [part.keys[position - part.origin] for part, position in found]

    return keys
