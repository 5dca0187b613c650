"""A run of whole lines of a delimited file becomes rows, faults and skipped lines.

Lines without quotes and without anything odd are read as columns in one go. Of any other run, one regular expression
picks the lines that surely are records; only the rest is looked at line by line. Both ways give the same verdicts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from dataspine.adapters.csv_lines import RecordLines, line_count
from dataspine.schemas.payload import MAX_FIELD_CHARS, MAX_RECORD_BYTES, Fault

if TYPE_CHECKING:
    from dataspine.adapters.csv_layout import CsvLayout, Verdict

MAX_RECORD_LINES = 100
"""Physical lines of one record with newlines inside quotes."""
PROBE_BYTES = MAX_RECORD_BYTES // 2
"""A line as long as a record may not be covers a whole aligned stretch of this length."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive records of one run of lines."""

    first_position: int
    records: int
    frame: pl.DataFrame
    faults: tuple[Fault, ...]
    """One or more for every record without a row."""
    lines: RecordLines
    skipped: dict[str, int] = field(default_factory=dict)
    rest: bytes = b""
    """Lines from the first one whose record may go on behind this run."""
    footer_started: bool = False


def read_segment(text: bytes, layout: CsvLayout, *, first_position: int, is_last: bool) -> Segment:
    """The records of whole lines, numbered from `first_position`."""
    rows = _plain_rows(text, layout)
    if rows is None:
        return _mixed_segment(text, layout, first_position=first_position, is_last=is_last)
    positions = pl.int_range(pl.len(), dtype=pl.Int64) + first_position
    frame, faults = _without_long_fields(rows.with_columns(position=positions))
    return Segment(first_position, rows.height, frame, faults, RecordLines(text, first_position))


def read_record_segment(raw: bytes, layout: CsvLayout) -> Segment:
    """One record, judged again from its bytes."""
    lines = RecordLines(raw, 1, pl.Series([0]), {0: len(raw)})
    verdict = layout.judge(raw.rstrip(b"\r\n"))
    if verdict.code:
        fault = Fault(1, verdict.code, "", verdict.message)
        return Segment(1, 1, layout.empty_frame(), (fault,), lines)
    row = read_rows(verdict.row, layout).with_columns(pl.col("position") + 1)
    frame, faults = _without_long_fields(row)
    return Segment(1, 1, frame, faults, lines)


def read_rows(rows: bytes, layout: CsvLayout) -> pl.DataFrame:
    """Rows of well-formed lines: `position` from 0 and one text column per wire path, an empty field being null.

    Raises: polars.exceptions.ComputeError if a line has more fields than there are columns.
    """
    # Polars sniffs the first bytes for compression (the text `x^` is zlib to it), drops a byte order mark and counts
    # the first line's fields; a line of ours in front keeps the vendor's bytes away from that.
    first = b"0" + layout.delimiter * (len(layout.names) - 1) + b"\n"
    is_quoted = bool(layout.quote) and layout.quote in rows
    frame = pl.read_csv(
        b"".join((first, rows)),
        has_header=False,
        schema=layout.schema,
        separator=layout.shape.delimiter,
        quote_char=layout.shape.quote if is_quoted else None,
    ).slice(1)
    texts = [
        pl.lit(None, dtype=pl.String).alias(path) if index is None else pl.col(f"c{index}").alias(path)
        for path, index in layout.indexes.items()
    ]
    if is_quoted and layout.quote * 2 in rows:
        texts = [pl.when(text != "").then(text) for text in texts]
    if layout.newline_mark.encode() in rows:
        texts = [text.str.replace_all(layout.newline_mark, "\n", literal=True) for text in texts]
    return frame.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("position"), *texts)


def _plain_rows(text: bytes, layout: CsvLayout) -> pl.DataFrame | None:
    """The rows, if every line is a record without quotes or anything else to look at; else None."""
    if len(layout.names) == 1 or (layout.quote and layout.quote in text):
        return None
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not _is_plain(text, layout):
        return None
    if text.count(layout.delimiter) != line_count(text) * (len(layout.names) - 1):
        return None
    try:
        # The sum of the fields is right and Polars refuses a line with too many, so none has too few or is blank.
        return read_rows(text, layout)
    except pl.exceptions.ComputeError:
        return None


def _is_plain(text: bytes, layout: CsvLayout) -> bool:
    """Whether the text is UTF-8 without control characters, lines to skip and lines that may be too long."""
    if any(control in text for control in layout.controls):
        return False
    if not text.isascii() and not _is_utf8(text):
        return False
    prefixes = [*layout.skip_prefixes, *layout.stop_prefixes]
    if layout.header_line:
        prefixes.append(layout.header_line)
    if any(text.startswith(prefix) or b"\n" + prefix in text for prefix in prefixes):
        return False
    probes = range(0, len(text) - PROBE_BYTES + 1, PROBE_BYTES)
    return all(text.find(b"\n", start, start + PROBE_BYTES) >= 0 for start in probes)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_long_fields(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Fault, ...]]:
    """The rows whose fields all keep the limit, and a fault for each field that does not."""
    texts = pl.exclude("position")
    # Bytes are never fewer than characters, and their number is free.
    longest = frame.select(texts.str.len_bytes().max()).row(0) if frame.width > 1 else ()
    if max((size for size in longest if size is not None), default=0) <= MAX_FIELD_CHARS:
        return frame, ()
    lengths = frame.select("position", texts.str.len_chars())
    is_long = lengths.select(pl.any_horizontal((texts > MAX_FIELD_CHARS).fill_null(value=False))).to_series()
    faults = [
        Fault(
            position, "FIELD_TOO_LONG", path, f"expected at most {MAX_FIELD_CHARS} characters, found {length}"
        )
        for position, *sizes in lengths.filter(is_long).iter_rows()
        for path, length in zip(lengths.columns[1:], sizes, strict=True)
        if length is not None and length > MAX_FIELD_CHARS
    ]
    return frame.filter(~is_long), tuple(faults)


@dataclass(slots=True)
class _Findings:
    """What the lines that needed a look turned out to be, by index of line."""

    end: int
    """The first line that is not judged here."""
    is_footer: bool = False
    """Whether that line starts the footer."""
    is_open: bool = False
    """Whether that line starts a record that may go on behind these lines."""
    skipped: Counter[str] = field(default_factory=Counter)
    no_starts: list[int] = field(default_factory=list)
    """Skipped lines, and those that are not the first of their record."""
    rows: dict[int, str] = field(default_factory=dict)
    """Records that are well-formed after all, as lines."""
    broken: dict[int, Verdict] = field(default_factory=dict)
    last_lines: dict[int, int] = field(default_factory=dict)


def _mixed_segment(text: bytes, layout: CsvLayout, *, first_position: int, is_last: bool) -> Segment:
    """The records of lines of which some must be looked at one by one."""
    table = _line_table(text, layout)
    dirty = table.select(pl.arg_where(~pl.col("clean") & ~pl.col("blank"))).to_series().to_list()
    lines = text.splitlines(keepends=True) if dirty else []
    found = _look_at(lines, dirty, layout, is_last=is_last) if dirty else _Findings(table.height)

    index = pl.col("index")
    starts = index.is_in(found.no_starts).not_()
    records = (
        table.head(found.end)
        .with_columns(is_record=starts & ~pl.col("blank"), is_blank=starts & pl.col("blank"))
        .with_columns(position=pl.col("is_record").cum_sum().cast(pl.Int64) + (first_position - 1))
    )
    found.skipped["blank"] += int(records["is_blank"].sum())
    if found.is_footer:
        found.skipped["footer"] += table.height - found.end
    records = records.filter("is_record").select("index", "position", "line")
    frame, long_fields = _without_long_fields(_readable(records, found, layout))
    faults = [*_broken_faults(records, found), *long_fields]
    return Segment(
        first_position,
        records.height,
        frame,
        tuple(sorted(faults, key=lambda fault: fault.position)),
        RecordLines(text, first_position, records["index"], found.last_lines),
        dict(+found.skipped),
        rest=b"".join(lines[found.end :]) if found.is_open else b"",
        footer_started=found.is_footer,
    )


def _line_table(text: bytes, layout: CsvLayout) -> pl.DataFrame:
    """One row per physical line: `index`, `line`, `clean` (surely one well-formed record) and `blank`."""
    decoded, is_utf8 = text.decode(errors="replace"), _is_utf8(text)
    if "\r" in decoded:
        decoded = decoded.replace("\r\n", "\n").replace("\r", "\n")
    lines = pl.Series("line", [decoded.removesuffix("\n")]).str.split("\n").explode()

    line = pl.col("line")
    is_short = line.str.len_bytes() < MAX_RECORD_BYTES
    clean = is_short & line.str.contains(layout.line_pattern)
    for prefix in (*layout.shape.skip_lines, *layout.shape.stop_at):
        clean &= ~line.str.starts_with(prefix)
    if layout.header_line:
        clean &= line != layout.header
    if not is_utf8:
        # The replacement character may also be the vendor's own; a look at the bytes tells.
        clean &= ~line.str.contains("\ufffd", literal=True)
    blank = is_short & (line.str.strip_chars(layout.blanks) == "")
    return lines.to_frame().with_row_index().with_columns(clean=clean & ~blank, blank=blank)


def _look_at(lines: list[bytes], dirty: list[int], layout: CsvLayout, *, is_last: bool) -> _Findings:
    """Judge the lines at these indexes one by one, in order."""
    found = _Findings(len(lines))
    quote = layout.quote
    odd = [index for index in dirty if quote and lines[index].count(quote) % 2]
    following = 0
    for index in dirty:
        if index < following:
            continue
        line = lines[index].rstrip(b"\r\n")
        if line.startswith(layout.stop_prefixes):
            found.end, found.is_footer = index, True
            break
        if rule := layout.skip_rule(line):
            found.skipped[rule] += 1
            found.no_starts.append(index)
            continue
        last = _last_line(lines, index, odd, layout)
        if last is None and not is_last:
            found.end, found.is_open = index, True
            break
        last = last or index
        following = last + 1
        _note(found, b"".join(lines[index:following]).rstrip(b"\r\n"), index, last, layout)
    return found


def _note(found: _Findings, record: bytes, index: int, last: int, layout: CsvLayout) -> None:
    """Judge one record and keep the verdict."""
    if last > index:
        found.last_lines[index] = last
        found.no_starts.extend(range(index + 1, last + 1))
    verdict = layout.judge(record)
    if verdict.code:
        found.broken[index] = verdict
    else:
        found.rows[index] = verdict.row.decode()


def _last_line(lines: list[bytes], index: int, odd: list[int], layout: CsvLayout) -> int | None:
    """The line on which the record that starts at `index` ends; None if lines behind these may belong to it.

    A line with an unpaired quote goes on to the next such line, but only if both and all between are then one record
    with the right number of fields. Otherwise it stands alone, so a stray quote costs no neighbour.
    """
    place = bisect_right(odd, index)
    if not place or odd[place - 1] != index:
        return index
    if place == len(odd):
        open_lines = lines[index:]
        is_decided = len(open_lines) >= MAX_RECORD_LINES or sum(map(len, open_lines)) >= MAX_RECORD_BYTES
        return index if is_decided else None
    last = odd[place]
    if last - index >= MAX_RECORD_LINES:
        return index
    record = b"".join(lines[index : last + 1]).rstrip(b"\r\n")
    return last if len(record) < MAX_RECORD_BYTES and layout.is_whole(record) else index


def _readable(records: pl.DataFrame, found: _Findings, layout: CsvLayout) -> pl.DataFrame:
    """The frame of the records that are well-formed."""
    readable = records.filter(pl.col("index").is_in(list(found.broken)).not_())
    if found.rows:
        rewritten = pl.DataFrame(
            {"index": list(found.rows), "row": list(found.rows.values())},
            schema={"index": records.schema["index"], "row": pl.String},
        )
        readable = readable.join(rewritten, on="index", how="left", maintain_order="left").with_columns(
            line=pl.coalesce("row", "line")
        )
    rows = readable["line"].str.join("\n").item().encode()
    return read_rows(rows, layout).with_columns(readable["position"])


def _broken_faults(records: pl.DataFrame, found: _Findings) -> list[Fault]:
    """A fault for each record that could not be read."""
    broken = records.filter(pl.col("index").is_in(list(found.broken)))
    return [
        Fault(position, found.broken[index].code, "", found.broken[index].message)
        for index, position in broken.select("index", "position").iter_rows()
    ]
