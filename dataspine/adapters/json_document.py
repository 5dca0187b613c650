"""A JSON document that is an object, held whole: where its records stand, and what stands around them."""

from __future__ import annotations

from dataclasses import dataclass
from types import GenericAlias
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dataspine.adapters.json_exact import (
    BrokenRecord,
    Complaint,
    inert_excerpt,
    nesting_depth,
    parse_strictly,
    text_of,
)
from dataspine.adapters.json_scan import (
    KEPT_BYTES,
    SPACE_BYTES,
    WINDOW_BYTES,
    Cursor,
    array_batches,
    object_members,
    skip_value,
)
from dataspine.errors import PayloadError
from dataspine.schemas.payload import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataspine.schemas.source import JsonShape

ENVELOPE_PREFIX = "envelope:"
"""What the columns of values around the records begin with."""
STATUS_PATH = "status"
"""Where a vendor may say `ERROR`."""

Keys = tuple[str, ...]
_NO_ERROR: tuple[object, ...] = (None, False, "", "0", [], ())
"""What vendors put under an error key when nothing is wrong."""
_NOTHINGS: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(
    GenericAlias(list, (msgspec.defstruct("Nothing", []),))
)
"""Passes over records, and checks that they are JSON."""


class Span(NamedTuple):
    """Where a value stands in the document."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the records are: an array that begins at `array_start`, or the values at `records`."""

    array_start: int | None = None
    records: tuple[Span, ...] = ()
    keys: tuple[str, ...] = ()
    """Keys of `records` in a map of symbols."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Values around the records, which every record has."""

    texts: dict[str, str | None]
    """Column to text."""
    complaints: tuple[Complaint, ...] = ()


class JsonDocument:
    """An object that is held whole, with the places of its members.

    Raises: PayloadError if it is no JSON object, or has something behind it.
    """

    def __init__(
        self, document: bytes, shape: JsonShape, *, envelope_paths: Sequence[str], before_bytes: int
    ) -> None:
        self._bytes = document
        self._shape = shape
        self._envelope_paths = tuple(dict.fromkeys(envelope_paths))
        self._before_bytes = before_bytes
        wanted = (shape.path, *self._envelope_paths, *shape.error_keys, STATUS_PATH)
        self._wanted = {tuple(path.split(".")) for path in wanted}
        self._parents = {keys[:depth] for keys in self._wanted for depth in range(1, len(keys))}
        self._array_keys = tuple(shape.path.split(".")) if shape.records in ("auto", "envelope") else ()
        self._is_array_empty = True
        self._members: list[tuple[str, Span]] = []
        self._found: dict[Keys, list[Span]] = {}
        self._others: list[Span] = []
        cursor = self.cursor(0)
        self._walk(cursor, ())
        if cursor.skip_space():
            cursor.refuse("the end of the text")

    def cursor(self, pos: int) -> Cursor:
        """A place in this document."""
        return Cursor.at(self._bytes, pos, before_bytes=self._before_bytes)

    def raw(self, span: Span) -> bytes:
        """Bytes of a value, of an over-long one the first `KEPT_BYTES`."""
        return self._bytes[span.start : min(span.end, span.start + KEPT_BYTES)]

    def layout(self) -> Layout:
        """Where the records are.

        Raises: PayloadError if they are not where the shape says, or the document is a vendor's error message.
        """
        span = self._span(self._array_keys)
        if span is not None and self._first_byte(span) == b"[" and not self._is_array_empty:
            self._require_sound_surroundings()
            return Layout(array_start=span.start)
        self._refuse_vendor_error()
        declared = self._shape.records
        if declared == "array":
            raise PayloadError("JSON_SHAPE", "expected an array of records", found="an object")
        if span is not None or declared == "envelope":
            return self._without_records(span)
        if declared == "map" or (declared == "auto" and self._is_map()):
            keys, spans = zip(*self._members, strict=True) if self._members else ((), ())
            return Layout(records=spans, keys=keys)
        return Layout(records=(Span(0, self._end()),))

    def surroundings(self) -> Surroundings:
        """Values at the envelope paths.

        Raises: PayloadError if one of them is no JSON.
        """
        complaints: list[Complaint] = []
        texts: dict[str, str | None] = {}
        for path in self._envelope_paths:
            column = ENVELOPE_PREFIX + path
            value = self._value(path)
            texts[column] = (
                None if value is None else text_of(value, column, is_text=False, complaints=complaints)
            )
        return Surroundings(texts, tuple(complaints))

    def _walk(self, cursor: Cursor, parents: Keys) -> None:
        """Note where each member of the object here stands, and those of objects on the way to wanted paths."""
        for key in object_members(cursor):
            keys = (*parents, key)
            start = cursor.pos
            is_other = False
            if keys in self._parents and cursor.peek() == b"{":
                self._walk(cursor, keys)
            elif keys == self._array_keys and cursor.peek() == b"[":
                for _ in array_batches(cursor, _NOTHINGS.decode, window_bytes=WINDOW_BYTES):
                    self._is_array_empty = False
            else:
                skip_value(cursor)
                is_other = True
            self._note(keys, Span(start, cursor.pos), is_other=is_other)

    def _note(self, keys: Keys, span: Span, *, is_other: bool) -> None:
        if len(keys) == 1:
            self._members.append((keys[0], span))
        if keys in self._wanted or keys in self._parents:
            self._found.setdefault(keys, []).append(span)
        if is_other:
            self._others.append(span)

    def _span(self, keys: Keys) -> Span | None:
        """Where the value at a path stands.

        Raises: PayloadError if a key on the way was given twice: there is no telling which one is meant.
        """
        for depth in range(1, len(keys) + 1):
            spans = self._found.get(keys[:depth], [])
            if len(spans) > 1:
                where = f"byte {self._before_bytes + spans[1].start}"
                raise PayloadError(
                    "JSON_DUPLICATE_KEY", f"expected key {keys[depth - 1]!a} once", where=where
                )
            if not spans:
                return None
        return self._found[keys][0] if keys else None

    def _value(self, path: str) -> object:
        span = self._span(tuple(path.split(".")))
        if span is None:
            return None
        try:
            return parse_strictly(self.raw(span))
        except BrokenRecord as broken:
            raise self._syntax_error(span, broken.message) from broken

    def _first_byte(self, span: Span) -> bytes:
        return self._bytes[span.start : span.start + 1]

    def _end(self) -> int:
        return len(self._bytes.rstrip(SPACE_BYTES))

    def _is_map(self) -> bool:
        """Whether every member is an object, and none is the one that `unwrap` takes a record out of."""
        is_wrapped = any(key == self._shape.unwrap for key, _ in self._members)
        return (
            bool(self._members)
            and not is_wrapped
            and all(self._first_byte(span) == b"{" for _, span in self._members)
        )

    def _without_records(self, span: Span | None) -> Layout:
        """An envelope that has no records, which vendors send when there is nothing."""
        if span is not None and self._first_byte(span) != b"[" and self._value(self._shape.path) is not None:
            raise PayloadError(
                "JSON_SHAPE", f"expected an array at {self._shape.path}", found=inert_excerpt(self.raw(span))
            )
        self._require_sound_surroundings()
        return Layout()

    def _refuse_vendor_error(self) -> None:
        """Raises: PayloadError if the document says that something went wrong."""
        status = self._sound_value(STATUS_PATH)
        is_error = isinstance(status, str) and status.casefold() == "error"
        if is_error or any(self._sound_value(path) not in _NO_ERROR for path in self._shape.error_keys):
            raise PayloadError(
                "VENDOR_ERROR", "the vendor reports an error", found=inert_excerpt(self._bytes)
            )

    def _sound_value(self, path: str) -> object:
        """The value at a path; None if it is no JSON, which is judged with the record or the surroundings."""
        span = self._span(tuple(path.split(".")))
        if span is None:
            return None
        try:
            return parse_strictly(self.raw(span))
        except BrokenRecord as broken:
            # A text that long is no empty one.
            return broken.message if broken.code == "SIZE" else None

    def _require_sound_surroundings(self) -> None:
        """Raises: PayloadError at a value around the records that is no JSON."""
        for span in self._others:
            raw = self._bytes[span.start : span.end]
            if nesting_depth(raw) > MAX_DEPTH:
                raise self._syntax_error(span, f"expected at most {MAX_DEPTH} levels of nesting, found more")
            try:
                msgspec.json.decode(raw, type=msgspec.Raw)
                raw.decode("utf-8")
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise self._syntax_error(span, str(error)) from error

    def _syntax_error(self, span: Span, message: str) -> PayloadError:
        return PayloadError("JSON_SYNTAX", message, where=f"byte {self._before_bytes + span.start}")
