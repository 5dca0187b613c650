"""Where things stand in a JSON text: values, members and runs of records, found without decoding them.

The scanner knows strings and brackets and nothing else, so that a record with damaged contents still has a first and
a last byte. It is exact and slow; runs of records are found by a guess that a real decoder proves (`array_batches`).
"""

from __future__ import annotations

import re
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Generic, NamedTuple, NoReturn, TypeVar

import msgspec

from dataspine.errors import PayloadError
from dataspine.schemas.payload import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

KEPT_BYTES = MAX_RECORD_BYTES + 1
"""Bytes kept of one value: enough to see, now and again later, that it is too long."""
WINDOW_BYTES = MAX_RECORD_BYTES
"""Bytes decoded together; no more than one record may have, so no record in a window is too long."""
SLOW_BYTES = 64 * 1024
"""Bytes that are scanned token by token before a run is tried again."""
RUN_ATTEMPTS = 3
"""Cuts that are tried in one window."""
MAX_SEPARATOR_BYTES = 64
"""Bytes between two records of a run; records further apart are scanned."""

SPACE_BYTES = b" \t\n\r"
_SPACES = frozenset((b" ", b"\t", b"\n", b"\r"))
_SPACE = re.compile(rb"[ \t\n\r]*")
_BARE = re.compile(rb'[^ \t\n\r,:"\[\]{}]*')
# A whole string, or one mark. Possessive quantifiers keep a string without end linear.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["{}\[\]]', re.DOTALL)
_STRING_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_RECORD_START = re.compile(rb'\{[ \t\n\r]*"[^"\\]+"')
_BEFORE_RECORD = re.compile(rb"\}[ \t\n\r]*,[ \t\n\r]*\Z")
_ERROR_BYTE = re.compile(r"\(byte (\d+)\)")

_QUOTE = b'"'
_QUOTE_CODE = ord(_QUOTE)
_CLOSER_CODES = {ord("{"): ord("}"), ord("["): ord("]")}

_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])

T = TypeVar("T")


class Run(NamedTuple, Generic[T]):
    """Neighbouring records that one decoder call read, which proves where they begin and end."""

    piece: bytes
    """The records with their commas, between square brackets."""
    decoded: T


class Cursor:
    """A place in a text that comes in blocks; bytes before it are forgotten."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.buffer = b""
        self.pos = 0
        self._forgotten_bytes = 0
        self._blocks = iter(blocks)
        self._is_ended = False

    @classmethod
    def at(cls, document: bytes, pos: int, *, before_bytes: int) -> Cursor:
        """A place in a document that is held whole, behind `before_bytes` others; nothing is copied or forgotten."""
        cursor = cls(())
        cursor.buffer, cursor.pos, cursor._forgotten_bytes, cursor._is_ended = (
            document,
            pos,
            before_bytes,
            True,
        )
        return cursor

    @property
    def offset(self) -> int:
        """Bytes of the text before this place."""
        return self._forgotten_bytes + self.pos

    def fill(self, need_bytes: int) -> int:
        """Have `need_bytes` from here on in `buffer`, fewer only at the end of the text; how many there are."""
        available = len(self.buffer) - self.pos
        if available >= need_bytes or self._is_ended:
            return available
        parts = [self.buffer[self.pos :]]
        # Twice the need, or what is left would be moved for every block.
        while available < 2 * need_bytes:
            block = next(self._blocks, None)
            if block is None:
                self._is_ended = True
                break
            parts.append(block)
            available += len(block)
        self.buffer = b"".join(parts)
        self._forgotten_bytes += self.pos
        self.pos = 0
        return available

    def rest(self, limit_bytes: int) -> bytes:
        """Everything from here on.

        Raises: PayloadError if that is more than `limit_bytes`.
        """
        # Unlike a list that is joined, this does not hold the text twice.
        text = BytesIO()
        text.write(self.buffer[self.pos :])
        self.buffer, self.pos = b"", 0
        while text.tell() <= limit_bytes:
            block = next(self._blocks, None)
            if block is None:
                return text.getvalue()
            text.write(block)
        raise PayloadError("SIZE", f"this document has to be held whole, in at most {limit_bytes} bytes")

    def peek(self) -> bytes:
        """The byte here; empty at the end of the text."""
        if self.pos >= len(self.buffer):
            self.fill(1)
        return self.buffer[self.pos : self.pos + 1]

    def skip_space(self) -> bytes:
        """Move to the next byte that is no white space, and show it."""
        byte = self.peek()
        while byte in _SPACES:
            self.pos = _end_of(_SPACE, self.buffer, self.pos)
            byte = self.peek()
        return byte

    def take(self, mark: bytes) -> bool:
        """Move past white space and `mark`, if that is what stands here."""
        if self.skip_space() != mark:
            return False
        self.pos += 1
        return True

    def refuse(self, expected: str) -> NoReturn:
        """Say that the text around the records is no JSON.

        Raises: PayloadError, always.
        """
        byte = self.peek()
        found = ascii(byte.decode("latin-1")) if byte else "the end of the text"
        raise PayloadError("JSON_SYNTAX", f"expected {expected}", found=found, where=f"byte {self.offset}")


def _end_of(pattern: re.Pattern[bytes], buffer: bytes, pos: int) -> int:
    """Where the match of a pattern that may be empty ends."""
    match = pattern.match(buffer, pos)
    return match.end() if match else pos


class _UnbalancedError(Exception):
    """A closing bracket without its opening one."""


class _Balance:
    """How deep in brackets and strings a scan stands, kept from block to block."""

    def __init__(self) -> None:
        self.resume = 0
        """Where to go on, or where the wrong bracket stands."""
        self._closers = bytearray()
        self._is_in_string = False

    def end_of_value(self, buffer: bytes, pos: int) -> int:
        """Where the value ends, or -1 if the buffer ends first: then go on at `resume` with more bytes.

        Raises: _UnbalancedError if brackets do not match.
        """
        if self._is_in_string:
            pos = self._end_of_string(buffer, pos)
            if pos < 0 or not self._closers:
                return pos
        for token in _TOKEN.finditer(buffer, pos):
            start, end = token.span()
            mark = buffer[start]
            if mark != _QUOTE_CODE:
                self._count(mark, start)
            elif end - start == 1:
                self._is_in_string = True
                return self._end_of_string(buffer, end)
            if not self._closers:
                return end
        self.resume = len(buffer)
        return -1

    def _end_of_string(self, buffer: bytes, pos: int) -> int:
        end = _end_of(_STRING_REST, buffer, pos)
        # Short of the quote stands the end of the buffer, or a backslash whose character is not here yet.
        if buffer[end : end + 1] != _QUOTE:
            self.resume = end
            return -1
        self._is_in_string = False
        return end + 1

    def _count(self, mark: int, at: int) -> None:
        closers = self._closers
        closer = _CLOSER_CODES.get(mark)
        if closer and len(closers) < MAX_RECORD_BYTES:
            closers.append(closer)
        elif closers and closers[-1] == mark:
            del closers[-1]
        else:
            self.resume = at
            raise _UnbalancedError


def skip_value(cursor: Cursor) -> bytes:
    """Move past one value; its bytes, of an over-long one the first `KEPT_BYTES`.

    Raises: PayloadError if no value stands here, or it has no end.
    """
    cursor.fill(KEPT_BYTES)
    start = cursor.peek()
    if start not in (b"{", b"[", _QUOTE):
        return _skip_bare(cursor)
    balance = _Balance()
    try:
        end = balance.end_of_value(cursor.buffer, cursor.pos)
        kept = cursor.buffer[cursor.pos : min(cursor.pos + KEPT_BYTES, end if end >= 0 else sys.maxsize)]
        while end < 0:
            cursor.pos = balance.resume
            left_bytes = len(cursor.buffer) - cursor.pos
            if cursor.fill(left_bytes + 1) == left_bytes:
                cursor.pos += left_bytes
                cursor.refuse("the end of a string or a closing bracket")
            end = balance.end_of_value(cursor.buffer, cursor.pos)
    except _UnbalancedError:
        cursor.pos = balance.resume
        cursor.refuse("the bracket that closes the last one opened")
    cursor.pos = end
    return kept


def _skip_bare(cursor: Cursor) -> bytes:
    """Move past a number or a word, right or wrong."""
    end = _end_of(_BARE, cursor.buffer, cursor.pos)
    kept = cursor.buffer[cursor.pos : min(end, cursor.pos + KEPT_BYTES)]
    if not kept:
        cursor.refuse("a value")
    cursor.pos = end
    while end == len(cursor.buffer) and cursor.fill(1):
        cursor.pos = end = _end_of(_BARE, cursor.buffer, cursor.pos)
    return kept


def object_members(cursor: Cursor) -> Iterator[str]:
    """Keys of the object here; before the next one the caller moves past the value, where the cursor stands.

    Raises: PayloadError at what is no object.
    """
    cursor.take(b"{")
    if cursor.take(b"}"):
        return
    while True:
        yield _key(cursor)
        if cursor.take(b"}"):
            return
        if not cursor.take(b","):
            cursor.refuse("',' or '}'")
        cursor.skip_space()


def _key(cursor: Cursor) -> str:
    if cursor.peek() != _QUOTE:
        cursor.refuse("a key in quotes")
    at = cursor.offset
    raw = skip_value(cursor)
    try:
        key = msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PayloadError("JSON_SYNTAX", "expected a key in quotes", where=f"byte {at}") from error
    if not cursor.take(b":"):
        cursor.refuse("':'")
    cursor.skip_space()
    return key


def array_batches(
    cursor: Cursor, decode: Callable[[bytes], T], *, window_bytes: int
) -> Iterator[Run[T] | list[bytes]]:
    """Elements of the array here, in order: proven runs of records, and elements that were scanned one by one.

    `decode` reads `[record,record]` and raises msgspec.DecodeError where that is no JSON. A cut between two records is
    guessed from how the first one begins (`{"symbol"`): what stands before it decodes as a whole only if the guess is
    right, since a cut inside a string or a nested value leaves that open.

    Raises: PayloadError at what is no array.
    """
    cursor.take(b"[")
    if cursor.take(b"]"):
        return
    is_open = True
    while is_open:
        run = _run(cursor, decode, window_bytes)
        if run is not None:
            yield run
            continue
        elements, is_open = _elements(cursor)
        yield elements


def prove_array(piece: bytes) -> list[msgspec.Raw]:
    """Elements of a JSON array.

    Raises: msgspec.DecodeError if it is none, RecursionError if it is nested very deep.
    """
    return _ELEMENTS.decode(piece)


def elements_of(piece: bytes) -> list[bytes]:
    """Bytes of the elements of a sound JSON array, however deep it is nested."""
    try:
        return list(map(bytes, prove_array(piece)))
    except RecursionError:
        batches = array_batches(Cursor.at(piece, 0, before_bytes=0), _refuse_run, window_bytes=0)
        return [raw for batch in batches if isinstance(batch, list) for raw in batch]


def _refuse_run(piece: bytes) -> NoReturn:
    """A decoder for which nothing is a run, so that elements are scanned one by one."""
    raise msgspec.DecodeError(f"{len(piece)} bytes")


def _run(cursor: Cursor, decode: Callable[[bytes], T], window_bytes: int) -> Run[T] | None:
    """Records from here to the last cut in the window that is proven; None if there is none."""
    available_bytes = cursor.fill(window_bytes)
    buffer, start = cursor.buffer, cursor.pos
    limit = start + min(available_bytes, window_bytes)
    signature = _RECORD_START.match(buffer, start, limit)
    if signature is None:
        return None
    for _ in range(RUN_ATTEMPTS):
        end, next_start = _cut(buffer, start, limit=limit, signature=signature.group())
        if not end:
            return None
        piece = b"".join((b"[", memoryview(buffer)[start:end], b"]"))
        try:
            decoded = decode(piece)
        except (msgspec.DecodeError, RecursionError) as error:
            limit = min(next_start, start + _error_offset(error, len(piece)))
            continue
        cursor.pos = next_start
        return Run(piece, decoded)
    return None


def _cut(buffer: bytes, start: int, *, limit: int, signature: bytes) -> tuple[int, int]:
    """End of a record and start of the next one, the last such pair before `limit`; zeros if there is none."""
    next_start = limit
    while (next_start := buffer.rfind(signature, start + 1, next_start)) > 0:
        between = _BEFORE_RECORD.search(buffer, max(start, next_start - MAX_SEPARATOR_BYTES), next_start)
        if between:
            return between.start() + 1, next_start
    return 0, 0


def _error_offset(error: Exception, default: int) -> int:
    """Where in a piece decoding failed, as the decoder's message says it."""
    found = _ERROR_BYTE.search(str(error))
    return int(found.group(1)) if found else default


def _elements(cursor: Cursor) -> tuple[list[bytes], bool]:
    """The next elements, one by one, and whether the array goes on behind them."""
    elements = []
    start = cursor.offset
    while cursor.offset - start < SLOW_BYTES:
        elements.append(skip_value(cursor))
        if cursor.take(b"]"):
            return elements, False
        if not cursor.take(b","):
            cursor.refuse("',' or ']'")
        cursor.skip_space()
    return elements, True
