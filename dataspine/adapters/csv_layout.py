"""The columns of one delimited file, from its header line or its profile, and the rules that judge one record."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from dataspine.adapters.csv_lines import line_count, line_end
from dataspine.errors import ConfigError, PayloadError
from dataspine.inert_text import inert_text
from dataspine.schemas.payload import MAX_COLUMNS, MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dataspine.schemas.source import CsvShape

VISIBLE = re.compile(rb"[^ \t\r\n]")
SHOWN_NAME_CHARS = 40
SHOWN_CHARS = 600


class HeaderSearch(NamedTuple):
    """What a block of lines says of the header."""

    line: bytes | None
    """The header line, or None if it is not in this block."""
    end: int
    """Where the line after it starts."""
    skipped: dict[str, int]


class Verdict(NamedTuple):
    """One record, judged: a reason code with its message, or a well-formed row (code empty)."""

    code: str
    message: str
    row: bytes


@dataclass(frozen=True)
class CsvLayout:
    """A shape together with the columns that one file really has."""

    shape: CsvShape
    names: tuple[str, ...]
    """Columns of the file in order."""
    indexes: dict[str, int | None]
    """Wire path to column; None for an optional one that the file lacks."""
    header: str = ""
    header_line: bytes = b""

    @cached_property
    def delimiter(self) -> bytes:
        return self.shape.delimiter.encode()

    @cached_property
    def quote(self) -> bytes:
        return self.shape.quote.encode()

    @cached_property
    def newline_mark(self) -> str:
        """Stands for a newline inside quotes while rows are read; records never hold it."""
        return "\x1f" if self.shape.delimiter == "\x1e" else "\x1e"

    @cached_property
    def _control(self) -> re.Pattern[bytes]:
        return re.compile(b"[%s]" % re.escape(b"".join(self.controls)))

    @cached_property
    def controls(self) -> tuple[bytes, ...]:
        """Control characters that a record must not hold; line ends are judged with the quotes."""
        legal = b"\t\r\n" + self.delimiter
        return tuple(bytes([code]) for code in range(0x20) if code not in legal)

    @cached_property
    def blanks(self) -> str:
        """Characters of a blank line."""
        return " \t".replace(self.shape.delimiter, "")

    @cached_property
    def skip_prefixes(self) -> tuple[bytes, ...]:
        return tuple(text.encode() for text in self.shape.skip_lines)

    @cached_property
    def stop_prefixes(self) -> tuple[bytes, ...]:
        return tuple(text.encode() for text in self.shape.stop_at)

    @cached_property
    def line_pattern(self) -> str:
        """Rust's regular expression of a line that surely is one well-formed record of this many fields."""
        quote, bad = _escaped(self.shape.quote), _escaped(self._bad_characters())
        return f"^{self._record_pattern(f'{quote}(?:[^{quote}{bad}]|{quote}{quote})*{quote}')}$"

    @cached_property
    def _record(self) -> re.Pattern[bytes]:
        """Python's regular expression of the same, but newlines may stand inside quotes."""
        quote, bad = _escaped(self.shape.quote), _escaped(self._bad_characters() - {"\r", "\n"})
        text = f"[^{quote}{bad}]*+"
        return re.compile(self._record_pattern(f"{quote}{text}(?:{quote}{quote}{text})*+{quote}").encode())

    def _record_pattern(self, quoted: str) -> str:
        delimiter, quote = _escaped(self.shape.delimiter), _escaped(self.shape.quote)
        cell = f"[^{delimiter}{quote}{_escaped(self._bad_characters())}]*"
        if quote:
            cell = f"(?:{quoted}|{cell})"
        return f"{cell}(?:{delimiter}{cell}){{{len(self.names) - 1}}}"

    def _bad_characters(self) -> set[str]:
        return {"\r", "\n"} | {control.decode() for control in self.controls}

    @cached_property
    def _cell(self) -> re.Pattern[bytes]:
        """One field and its delimiter. An unquoted field may hold quotes, as spreadsheets read it, but no newline."""
        delimiter, quote = _escaped(self.shape.delimiter), _escaped(self.shape.quote)
        quoted = f"{quote}([^{quote}]*+(?:{quote}{quote}[^{quote}]*+)*+){quote}"
        return re.compile(f"(?:{quoted}|((?!{quote})[^{delimiter}\\r\\n]*+))({delimiter}|\\Z)".encode())

    @cached_property
    def schema(self) -> dict[str, pl.DataType]:
        """Polars schema of a row: every column is text."""
        return {f"c{index}": pl.String() for index in range(len(self.names))}

    def empty_frame(self) -> pl.DataFrame:
        """A chunk's frame without rows."""
        return pl.DataFrame(schema={"position": pl.Int64(), **dict.fromkeys(self.indexes, pl.String())})

    def skip_rule(self, line: bytes) -> str | None:
        """Why this line, which starts no footer and is not blank, is no record."""
        if line.startswith(self.skip_prefixes):
            return "skip_lines"
        return "repeated_header" if self.header_line and line == self.header_line else None

    def cells(self, record: bytes) -> list[bytes] | None:
        """The fields of one record, or None if its quotes do not enclose whole fields."""
        if not self.quote or self.quote not in record:
            return None if b"\n" in record or b"\r" in record else record.split(self.delimiter)
        cells: list[bytes] = []
        place, more = 0, True
        while more:
            match = self._cell.match(record, place)
            if match is None:
                return None
            quoted = match[1]
            cells.append(match[2] if quoted is None else quoted.replace(self.quote * 2, self.quote))
            place, more = match.end(), bool(match[3])
        return cells

    def row(self, cells: Iterable[bytes]) -> bytes:
        """The fields as one line with every field quoted."""
        if not self.quote:
            return self.delimiter.join(cells)
        quoted = [self.quote + cell.replace(self.quote, self.quote * 2) + self.quote for cell in cells]
        return self._one_line(self.delimiter.join(quoted))

    def _one_line(self, record: bytes) -> bytes:
        return record.replace(b"\n", self.newline_mark.encode())

    def is_whole(self, record: bytes) -> bool:
        """Whether the quotes and the number of fields are right, whatever the fields hold."""
        if self._record.fullmatch(record):
            return True
        cells = self.cells(record)
        return cells is not None and len(cells) == len(self.names)

    def judge(self, record: bytes) -> Verdict:
        """Verdict on the form of one record, from its bytes alone."""
        if len(record) >= MAX_RECORD_BYTES:
            return Verdict("SIZE", f"expected a record under {MAX_RECORD_BYTES} bytes, found more", b"")
        try:
            record.decode()
        except UnicodeDecodeError as error:
            found = f"byte 0x{record[error.start]:02X} at byte {error.start}"
            return Verdict("ENCODING", f"expected UTF-8, found {found}", b"")
        if self._record.fullmatch(record):
            return Verdict("", "", self._one_line(record))
        if control := self._control.search(record):
            return Verdict("CONTROL_CHARACTER", f"expected text, found U+{control[0][0]:04X}", b"")
        cells = None if self.quote and record.count(self.quote) % 2 else self.cells(record)
        if cells is None:
            return Verdict("CSV_QUOTE", "expected quotes in pairs around whole fields, found others", b"")
        if len(cells) != len(self.names):
            message = f"expected {len(self.names)} fields, found {len(cells)}"
            return Verdict("RAGGED_ROW", message, b"")
        return Verdict("", "", self.row(cells))


def layout_from_shape(shape: CsvShape, paths: Sequence[str], *, optional: frozenset[str]) -> CsvLayout:
    """The layout of a headerless file.

    Raises: PayloadError if a needed path is not among the declared columns.
    """
    return _checked_layout(shape, shape.columns, paths, optional=optional)


def layout_from_header(
    line: bytes, shape: CsvShape, paths: Sequence[str], *, optional: frozenset[str]
) -> CsvLayout:
    """The layout that a header line gives a file.

    Raises: PayloadError if a needed column is missing or stands twice, or if there are too many columns.
    """
    if len(line) >= MAX_RECORD_BYTES:
        raise PayloadError("SIZE", f"expected a header under {MAX_RECORD_BYTES} bytes", found=len(line))
    text = line.decode(errors="replace")
    names = header_names(text, shape)
    return _checked_layout(shape, names, paths, optional=optional, header=text, header_line=line)


def _checked_layout(
    shape: CsvShape,
    names: tuple[str, ...],
    paths: Sequence[str],
    *,
    optional: frozenset[str],
    header: str = "",
    header_line: bytes = b"",
) -> CsvLayout:
    check_marks(shape)
    if "position" in paths:
        raise ConfigError("a column named position cannot be mapped; it numbers the records", where="fields")
    if len(names) > MAX_COLUMNS:
        raise PayloadError("SIZE", f"expected at most {MAX_COLUMNS} columns", found=len(names))
    if missing := [path for path in paths if path not in names and path not in optional]:
        what = f"expected columns {_inert(missing)} in the header"
        raise PayloadError("HEADER_MISSING", what, found=_inert(names))
    if double := [path for path in dict.fromkeys(paths) if names.count(path) > 1]:
        what = f"expected one column of each name, {_inert(double)} stand more than once"
        raise PayloadError("HEADER_DUPLICATE", what, found=_inert(names))
    indexes = {path: names.index(path) if path in names else None for path in paths}
    return CsvLayout(shape, names, indexes, header, header_line)


def check_marks(shape: CsvShape) -> None:
    """Raise ConfigError unless delimiter and quote can be told from each other, from text and from line ends."""
    delimiter, quote = shape.delimiter, shape.quote
    delimiter_is_good = delimiter.isascii() and not delimiter.isalnum() and delimiter not in "\r\n"
    quote_is_good = quote.isascii() and quote.isprintable() and quote not in (delimiter, " ")
    if not (delimiter_is_good and quote_is_good and not quote.isalnum()):
        raise ConfigError(
            "delimiter and quote must be two different ASCII characters, no letters, digits or line ends",
            found=ascii(delimiter + quote),
            where="csv.delimiter, csv.quote",
        )


def header_names(text: str, shape: CsvShape) -> tuple[str, ...]:
    """Column names of a header line, without surrounding blanks and quotes."""
    if not shape.quote:
        return tuple(name.strip() for name in text.split(shape.delimiter))
    try:
        cells = next(csv.reader([text], delimiter=shape.delimiter, quotechar=shape.quote), [])
    except csv.Error as error:
        raise PayloadError("SIZE", "expected shorter column names in the header", found=error) from error
    return tuple(cell.strip().strip(shape.quote).strip() for cell in cells)


def find_header(text: bytes, shape: CsvShape) -> HeaderSearch:
    """Look for the header among whole lines; whatever stands before it is skipped and counted."""
    if shape.header_match is None:
        return _first_line(text, tuple(prefix.encode() for prefix in shape.skip_lines))
    wanted = shape.header_match.encode()
    starts = [text.find(mark + wanted) + 1 for mark in (b"\n", b"\r")]
    start = 0 if text.startswith(wanted) else min((start for start in starts if start), default=-1)
    if start < 0:
        return HeaderSearch(None, len(text), {"preamble": line_count(text)})
    end, following = line_end(text, start)
    return HeaderSearch(text[start:end], following, {"preamble": line_count(text[:start])})


def _first_line(text: bytes, skip_prefixes: tuple[bytes, ...]) -> HeaderSearch:
    """The first line that is neither blank nor one to skip."""
    skipped = {"blank": 0, "skip_lines": 0}
    place = 0
    while visible := VISIBLE.search(text, place):
        start = max(text.rfind(mark, place, visible.start()) + 1 for mark in (b"\n", b"\r"))
        start = max(place, start)
        skipped["blank"] += line_count(text[place:start])
        end, following = line_end(text, start)
        if not (skip_prefixes and text.startswith(skip_prefixes, start)):
            return HeaderSearch(text[start:end], following, skipped)
        skipped["skip_lines"] += 1
        place = following
    skipped["blank"] += line_count(text[place:])
    return HeaderSearch(None, len(text), skipped)


def _escaped(marks: Iterable[str]) -> str:
    """Characters as both Python's and Rust's regular expressions read them literally."""
    return "".join(f"\\x{ord(char):02x}" for char in sorted(marks))


def _inert(names: Sequence[str]) -> str:
    """Vendor's names as harmless text of bounded length."""
    return inert_text(", ".join(name[:SHOWN_NAME_CHARS] for name in names), limit=SHOWN_CHARS)
