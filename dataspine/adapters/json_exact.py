"""One JSON record judged exactly: the slow, strict reading with which every fast one agrees."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from dataspine.schemas.payload import MAX_DEPTH, MAX_FIELD_CHARS, MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

EXCERPT_BYTES = 200
"""Bytes of vendor text that a message shows."""
_SHOWN_DIGITS = 40

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[{}\[\]]', re.DOTALL)
# A pair of surrogates and an escaped backslash are passed over whole, so that only halves are captured.
_HALF_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)


class Complaint(NamedTuple):
    """What is wrong with a record, before its position is known."""

    code: str
    field: str
    """Wire path, or empty for the record."""
    message: str


class Verdict(NamedTuple):
    """One record as text, or why it could not be read."""

    values: tuple[str | None, ...] | None
    """One text a path; None if the record is broken."""
    complaints: tuple[Complaint, ...]


class NumberText(str):
    """A JSON number as it stands on the wire."""

    __slots__ = ()


Members = tuple[tuple[str, object], ...]
"""A JSON object with every member that it has, twice given ones too."""


class BrokenRecord(Exception):
    """A record or value that cannot be read; it ends as a complaint, never as a failed attempt."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)


def _refuse_literal(name: str) -> None:
    raise BrokenRecord("JSON_LITERAL", f"expected a number, found {name}")


_STRICT = json.JSONDecoder(
    object_pairs_hook=tuple, parse_int=NumberText, parse_float=NumberText, parse_constant=_refuse_literal
)


class ExactReader:
    """Reads one record by the rules alone.

    A key counts as given twice only where a path looks it up: in the record, or in an object on the way. Elsewhere a
    key may stand twice; nobody reads it.
    """

    def __init__(self, paths: Sequence[str], *, text_paths: frozenset[str], unwrap: str | None) -> None:
        self._paths = tuple((path, tuple(path.split(".")), path in text_paths) for path in paths)
        self._unwrap = unwrap

    def read(self, raw: bytes) -> Verdict:
        """Texts of a record, or why it is broken."""
        try:
            return self._read_record(parse_strictly(raw))
        except BrokenRecord as broken:
            return Verdict(None, (Complaint(broken.code, "", broken.message),))

    def _read_record(self, record: object) -> Verdict:
        if not isinstance(record, tuple):
            raise BrokenRecord("JSON_SHAPE", f"expected an object, found {_description(record)}")
        complaints: list[Complaint] = []
        inner = self._unwrapped(record, complaints)
        values = [
            None if inner is None else _text_at(inner, path, keys, is_text=is_text, complaints=complaints)
            for path, keys, is_text in self._paths
        ]
        return Verdict(tuple(values), tuple(complaints))

    def _unwrapped(self, record: Members, complaints: list[Complaint]) -> Members | None:
        """The object that holds the fields; None if there is something else in its place."""
        if self._unwrap is None:
            return record
        found = _values_of(record, self._unwrap)
        if not found:
            return record
        if isinstance(found[0], tuple):
            return found[0]
        complaints.append(
            Complaint("TYPE", self._unwrap, f"expected an object, found {_description(found[0])}")
        )
        return None


def parse_strictly(raw: bytes) -> object:
    """A JSON value with nothing lost: objects as pairs, numbers as text.

    Raises: BrokenRecord with the reason code of whatever is no JSON or over a limit.
    """
    if len(raw) > MAX_RECORD_BYTES:
        raise BrokenRecord("SIZE", f"expected at most {MAX_RECORD_BYTES} bytes, found more")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenRecord("ENCODING", f"expected UTF-8, found byte {raw[error.start]:#04x}") from error
    # Judged before the decoder, which calls itself once a level.
    if nesting_depth(raw) > MAX_DEPTH:
        raise BrokenRecord("DEPTH", f"expected at most {MAX_DEPTH} levels of nesting, found more")
    try:
        value: object = _STRICT.decode(text)
    except json.JSONDecodeError as error:
        raise BrokenRecord("JSON_SYNTAX", f"{error.msg} at character {error.pos}") from error
    half = next((half for half in _HALF_SURROGATE.findall(raw) if half), None)
    if half:
        raise BrokenRecord("ENCODING", f"expected a pair of surrogates, found {half.decode('ascii')} alone")
    return value


def nesting_depth(raw: bytes) -> int:
    """How many brackets are open at once, at most; an upper bound where they are too few to matter."""
    bound = raw.count(b"{") + raw.count(b"[")
    if bound <= MAX_DEPTH:
        return bound
    depth = deepest = 0
    for token in _TOKEN.finditer(raw):
        mark = raw[token.start()]
        depth += (mark in b"{[") - (mark in b"}]")
        deepest = max(deepest, depth)
    return deepest


def _text_at(
    record: Members, path: str, keys: tuple[str, ...], *, is_text: bool, complaints: list[Complaint]
) -> str | None:
    """Text of the value at a path; None, with a complaint, if it is of the wrong type."""
    value: object = record
    for depth, key in enumerate(keys):
        if not isinstance(value, tuple):
            where = ".".join(keys[:depth])
            complaints.append(
                Complaint("TYPE", path, f"expected an object at {where}, found {_description(value)}")
            )
            return None
        found = _values_of(value, key)
        if not found or found[0] is None:
            return None
        value = found[0]
    return text_of(value, path, is_text=is_text, complaints=complaints)


def _values_of(members: Members, key: str) -> list[object]:
    """The value of a key, if it is there."""
    found = [value for name, value in members if name == key]
    if len(found) > 1:
        raise BrokenRecord("JSON_DUPLICATE_KEY", f"expected key {key!a} once, found it {len(found)} times")
    return found


def text_of(value: object, path: str, *, is_text: bool, complaints: list[Complaint]) -> str | None:
    """Text of a string or number; None, with a complaint, if it is something else or too long."""
    if not isinstance(value, str) or (is_text and isinstance(value, NumberText)):
        expected = "a string" if is_text else "a string or number"
        complaints.append(Complaint("TYPE", path, f"expected {expected}, found {_description(value)}"))
        return None
    if len(value) > MAX_FIELD_CHARS:
        message = f"expected at most {MAX_FIELD_CHARS} characters, found {len(value)}"
        complaints.append(Complaint("FIELD_TOO_LONG", path, message))
        return None
    return str(value)


def _description(value: object) -> str:
    if isinstance(value, NumberText):
        return f"number {value[:_SHOWN_DIGITS]}" + ("..." if len(value) > _SHOWN_DIGITS else "")
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"


def inert_excerpt(raw: bytes) -> str:
    """The beginning of vendor text, with nothing in it that a terminal obeys."""
    return ascii(raw[:EXCERPT_BYTES].decode("utf-8", "replace"))[1:-1]
