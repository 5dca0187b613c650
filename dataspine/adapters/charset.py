"""A payload's text as UTF-8, whatever encoding its bytes came in.

UTF-8 passes through untouched and unjudged: a bad byte there spoils one record, which the readers know. In
any other encoding a bad byte spoils the payload, because what follows it can no longer be trusted.
"""

from __future__ import annotations

import codecs
from itertools import chain
from typing import TYPE_CHECKING

from dataspine.errors import PayloadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_UTF32_MARKS = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_ASCII_TWINS = frozenset({"latin-1", "cp1252"})
"""Encodings in which ASCII bytes are the same text as in UTF-8."""


def utf8_blocks(blocks: Iterable[bytes], *, encoding: str) -> tuple[str, Iterator[bytes]]:
    """The encoding that the bytes really have, and the same text as UTF-8 without byte order mark.

    A byte order mark overrides `encoding`. `utf-16` without a mark is little-endian, as browsers read it.
    The first block is read at once, the others as they are asked for.

    Raises: PayloadError ENCODING, here or while reading, naming the offset of the byte in `blocks`.
    """
    head, rest = _peek(iter(blocks))
    effective, mark_len = _effective_encoding(head, encoding)
    body = chain((head[mark_len:],), rest) if len(head) > mark_len else rest
    if effective == "utf-8":
        return effective, body
    return effective, _transcoded(body, encoding=effective, start=mark_len)


def original_bytes(record_utf8: bytes, *, encoding: str) -> bytes:
    """A record's bytes as the payload has them; `encoding` is the effective one of `utf8_blocks`."""
    if encoding == "utf-8":
        return record_utf8
    return record_utf8.decode("utf-8").encode(encoding)


def _peek(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Enough bytes to see any mark (fewer only at the end), and the blocks after them."""
    head = b""
    for block in blocks:
        head = head + block if head else block
        if len(head) >= len(_UTF32_MARKS[0]):
            break
    return head, blocks


def _effective_encoding(head: bytes, declared: str) -> tuple[str, int]:
    """Encoding and length of the byte order mark."""
    if head.startswith(_UTF32_MARKS):
        raise PayloadError("ENCODING", "UTF-32 is not read", found="its byte order mark", where="byte 0")
    if head.startswith(_UTF8_MARK):
        return "utf-8", len(_UTF8_MARK)
    for mark, encoding in _UTF16_MARKS.items():
        if head.startswith(mark):
            return encoding, len(mark)
    return ("utf-16-le" if declared == "utf-16" else declared), 0


def _transcoded(blocks: Iterator[bytes], *, encoding: str, start: int) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    read_bytes = start
    for block in chain(blocks, (None,)):
        if block is not None and encoding in _ASCII_TWINS and block.isascii():
            text_utf8 = block
        else:
            text_utf8 = _decoded(decoder, block, read_bytes=read_bytes).encode("utf-8")
        read_bytes += len(block or b"")
        if text_utf8:
            yield text_utf8


def _decoded(decoder: codecs.IncrementalDecoder, block: bytes | None, *, read_bytes: int) -> str:
    """Text of `block`, or of what is left over when it is None."""
    pending_bytes = len(decoder.getstate()[0])
    try:
        return decoder.decode(block or b"", final=block is None)
    except UnicodeDecodeError as error:
        offset = read_bytes - pending_bytes + error.start
        raise PayloadError(
            "ENCODING",
            f"text must be {error.encoding}",
            found=f"{error.object[error.start : error.end]!r}: {error.reason}",
            where=f"byte {offset}",
        ) from error
