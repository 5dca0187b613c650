"""Physical lines of a delimited file: cut without loss from blocks of any size, counted, and found again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataspine.schemas.payload import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import polars as pl

    LineBlocks = Iterator[tuple[bytes, bool]]
    """Blocks of whole lines, each with whether it is the last."""

LINE_END = re.compile(rb"\r\n|\n|\r")
"""What ends a line, also mixed in one file."""
MAX_BLOCK_LINES = 262_144
"""Lines that are worked on together; bounds memory where the text is nearly all line ends."""


def line_blocks(blocks: Iterable[bytes], *, block_bytes: int) -> LineBlocks:
    """The same bytes as blocks of whole lines.

    Only the last block may end without a line end, and it may be empty. A line that reaches the limit on a record's
    bytes before it ends loses bytes past the limit, so memory stays bounded; it never gets shorter than the limit.
    """
    rest = b""
    for block in _even_blocks(blocks, block_bytes=block_bytes):
        text = rest + block
        newline = text.rfind(b"\n")
        # A `\r` in the very last place may be the first half of `\r\n`.
        end = max(newline, text.rfind(b"\r", newline + 1, len(text) - 1)) + 1
        if end:
            yield text[:end], False
        rest = _without_excess(text[end:])
    yield rest, True


def _even_blocks(blocks: Iterable[bytes], *, block_bytes: int) -> Iterator[bytes]:
    """Blocks of about `block_bytes`: small ones joined, large ones cut."""
    pieces: list[bytes] = []
    size_bytes = 0
    for block in blocks:
        for start in range(0, len(block), block_bytes):
            piece = block[start : start + block_bytes]
            pieces.append(piece)
            size_bytes += len(piece)
            if size_bytes >= block_bytes:
                yield b"".join(pieces)
                pieces, size_bytes = [], 0
    if pieces:
        yield b"".join(pieces)


def _without_excess(line: bytes) -> bytes:
    """The start of an unfinished line, as much as it takes to see that it is too long."""
    if len(line) <= MAX_RECORD_BYTES:
        return line
    return line[:MAX_RECORD_BYTES] + (b"\r" if line.endswith(b"\r") else b"")


def few_lines(blocks: LineBlocks) -> LineBlocks:
    """The same blocks, those with very many lines halved until they have few enough."""
    for block, is_last in blocks:
        texts = [block]
        while texts:
            text = texts.pop()
            if line_count(text) > MAX_BLOCK_LINES:
                end = _middle(text)
                texts += [text[end:], text[:end]]
            else:
                yield text, is_last and not texts


def _middle(text: bytes) -> int:
    """Where a line in the middle of several ends."""
    middle = len(text) // 2
    while (end := line_end(text, middle)[1]) == len(text):
        middle //= 2
    return end


def line_count(text: bytes) -> int:
    """Physical lines in the text; a last one without line end counts."""
    ends = text.count(b"\n")
    if b"\r" in text:
        ends += text.count(b"\r") - text.count(b"\r\n")
    return ends + (not text.endswith((b"\n", b"\r")) if text else 0)


def line_end(text: bytes, start: int) -> tuple[int, int]:
    """Where the line at `start` ends, without and with its line end."""
    match = LINE_END.search(text, start)
    return match.span() if match else (len(text), len(text))


@dataclass(frozen=True, slots=True)
class RecordLines:
    """The bytes around consecutive records, split into lines only when a record is asked for."""

    text: bytes
    first_position: int
    line_of_record: pl.Series | None = None
    """Index of each record's first line; unset where every line is one record."""
    last_lines: Mapping[int, int] | None = None
    """First to last line of the records that span several."""

    def raw(self, positions: Sequence[int]) -> list[bytes]:
        """Bytes of the records at these positions, without line end, cut at the limit."""
        lines = self.text.splitlines(keepends=True)
        records: list[bytes] = []
        for position in positions:
            index = position - self.first_position
            first = index if self.line_of_record is None else int(self.line_of_record[index])
            last = (self.last_lines or {}).get(first, first)
            record = b"".join(lines[first : last + 1]).rstrip(b"\r\n")
            records.append(record[:MAX_RECORD_BYTES])
        return records
