"""A compiled decoder for some paths of JSON records, and the judgement whether its result is the whole truth.

The fast path may be used only where it cannot differ from `json_exact`. It differs in what it passes over in silence,
so a run is plain only if all of this holds: it is UTF-8 throughout; no key can hide behind an escape; no record can be
nested too deep; each key that a path looks up stands there as often as the decoder found it; each value is a string, a
number or null, a string where one is asked for; no integer is minus zero, whose sign the decoder drops.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import attrgetter
from types import GenericAlias
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import polars as pl
from msgspec import UNSET, UnsetType

from dataspine.adapters.json_scan import elements_of
from dataspine.schemas.payload import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Sequence

Tree = dict[str, "int | Tree"]
"""Dotted paths as nested keys; a leaf is the number of its column."""

# Any number becomes 0: only keys and strings of this decoder's result are looked at.
_ANYTHING = msgspec.json.Decoder(float_hook=len)
_ESCAPED_ASCII = re.compile(rb"\\u00[0-7]")
_MINUS_ZERO = re.compile(rb"-0[ \t\n\r,}\]]")
_UNSAFE_IN_KEY = re.compile(r'["\\/\x00-\x1f]')
_PLAIN_TYPES = {str, int, type(None)}


class Column(NamedTuple):
    """What a decoder found at one path, a value a record."""

    values: list[Any]
    """Strings, integers and None."""
    types: set[type]
    """Types of the values."""


@dataclass(frozen=True, slots=True)
class _Node:
    """One object on the paths: a compiled type, and what stands in it."""

    struct: type[msgspec.Struct]
    leaves: tuple[tuple[str, str, int], ...]
    """Key, attribute, column."""
    branches: tuple[tuple[str, str, _Node], ...]
    """Key, attribute, object below."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Decoders for some paths, and the judgement whether what they read is plain."""

    root: _Node
    unwrap: str | None
    decoder: msgspec.json.Decoder[Any]
    """One record; where `unwrap` is asked for, its attribute `inner` is the object under that key."""
    run_decoder: msgspec.json.Decoder[list[Any]]
    tokens: dict[str, bytes]
    """Every key that is looked up, as it stands in the text."""
    escape: re.Pattern[bytes]
    """What may hide one of these keys."""
    column_count: int
    any_token: str | None = None
    """All keys' texts as one pattern, to count them in one pass; None where a key is no plain word."""

    def columns(self, records: list[Any], text: bytes) -> list[Column] | None:
        """Values by path; None if `text`, an array of these records, is not plain."""
        if not self._is_plain_text(text, len(records)):
            return None
        harvest = _Harvest([Column([], set())] * self.column_count, dict.fromkeys(self.tokens, 0))
        if self.unwrap is not None:
            inners = list(map(attrgetter("inner"), records))
            absent = inners.count(UNSET)
            if absent < len(inners):
                harvest.key_counts[self.unwrap] += len(inners) - absent
                records = [record if record.inner is UNSET else record.inner for record in records]
        harvest.gather(self.root, records)
        is_plain = all(column.types <= _PLAIN_TYPES for column in harvest.columns)
        if not is_plain or not self._is_each_key_once(text, harvest.key_counts):
            return None
        has_zero = any(int in column.types and 0 in column.values for column in harvest.columns)
        return None if has_zero and _MINUS_ZERO.search(text) else harvest.columns

    def _is_plain_text(self, text: bytes, record_count: int) -> bool:
        if not text.isascii() and not _is_utf8(text):
            return False
        if b"\\" in text and self.escape.search(text):
            return False
        # Not counting the array and one bracket a record, this many may be inside of one record.
        spare = text.count(b"{") + text.count(b"[") - 1 - record_count
        return spare < MAX_DEPTH or all(map(_is_shallow, elements_of(text)))

    def _is_each_key_once(self, text: bytes, found: dict[str, int]) -> bool:
        """Whether no key that the decoder looked up was given twice, so that it kept one value and dropped another.

        A key's text may stand elsewhere as well, in another object or as a string. Then everything is decoded and
        encoded again: what was dropped is missing there.
        """
        # Each key stands at least as often as it has values, so an equal sum leaves no room for a second one.
        if self.any_token is not None:
            total = (
                pl.Series([text], dtype=pl.Binary).cast(pl.String).str.count_matches(self.any_token).item()
            )
            if total == sum(found.values()):
                return True
        doubtful = {
            token: count for name, token in self.tokens.items() if (count := text.count(token)) != found[name]
        }
        if not doubtful:
            return True
        try:
            again = msgspec.json.encode(_ANYTHING.decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return all(again.count(token) == count for token, count in doubtful.items())


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_shallow(raw: bytes) -> bool:
    return raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH


@dataclass(frozen=True, slots=True)
class _Harvest:
    """What a decoder found in a run; filled as the plan's tree is walked."""

    columns: list[Column]
    key_counts: dict[str, int]
    """How often each key was found in an object where it is looked up."""

    def gather(self, node: _Node, objects: list[Any]) -> None:
        """Take what stands in these objects, and in those below."""
        for key, attribute, number in node.leaves:
            self.columns[number] = self._present(key, list(map(attrgetter(attribute), objects)))
        for key, attribute, branch in node.branches:
            absent = branch.struct()
            found = self._present(key, list(map(attrgetter(attribute), objects)))
            self.gather(branch, [absent if value is None else value for value in found.values])

    def _present(self, key: str, values: list[Any]) -> Column:
        """Values with None where there is none; those that there are, null too, are counted."""
        absent = values.count(UNSET)
        self.key_counts[key] += len(values) - absent
        if absent == len(values):
            return Column([None] * absent, {type(None)})
        types = set(map(type, values))
        if not absent:
            return Column(values, types)
        return Column(
            [None if value is UNSET else value for value in values], types - {UnsetType} | {type(None)}
        )


def _tree(paths: Sequence[str]) -> Tree | None:
    """Paths as nested keys; None if one path goes through the end of another."""
    tree: Tree = {}
    for column, path in enumerate(paths):
        *parents, last = path.split(".")
        node = tree
        for key in parents:
            below = node.setdefault(key, {})
            if isinstance(below, int):
                return None
            node = below
        if last in node:
            return None
        node[last] = column
    return tree


def _node(tree: Tree, texts: set[int]) -> _Node:
    leaves: list[tuple[str, str, int]] = []
    branches: list[tuple[str, str, _Node]] = []
    fields: list[tuple[str, Any, Any]] = []
    for number, (key, below) in enumerate(tree.items()):
        attribute = f"field_{number}"
        if isinstance(below, int):
            leaves.append((key, attribute, below))
            fields.append((attribute, str | None if below in texts else Any, UNSET))
        else:
            branch = _node(below, texts)
            branches.append((key, attribute, branch))
            fields.append((attribute, branch.struct | None, UNSET))
    names = {f"field_{number}": key for number, key in enumerate(tree)}
    # Without the garbage collector's header: the values hold no cycles, and a run has many of them.
    struct = msgspec.defstruct("Record", fields, rename=names, gc=False)
    return _Node(struct, tuple(leaves), tuple(branches))


def _wrapper(root: _Node, unwrap: str) -> type[msgspec.Struct]:
    """Type of a record that holds its fields itself or, under the key `unwrap`, in an object."""
    inner = ("inner", root.struct, UNSET)
    return msgspec.defstruct("Wrapped", [inner], bases=(root.struct,), rename={"inner": unwrap}, gc=False)


def compile_plan(paths: Sequence[str], text_paths: frozenset[str], unwrap: str | None) -> Plan | None:
    """Compiled decoders; None where the paths are such that only the exact reader can follow them."""
    tree = _tree(paths)
    keys = {key for path in paths for key in path.split(".")} | ({unwrap} if unwrap is not None else set())
    if tree is None or unwrap in tree or any(_UNSAFE_IN_KEY.search(key) for key in keys):
        return None
    texts = {column for column, path in enumerate(paths) if path in text_paths}
    root = _node(tree, texts)
    record = root.struct if unwrap is None else _wrapper(root, unwrap)
    is_ascii = all(key.isascii() for key in keys)
    return Plan(
        root=root,
        unwrap=unwrap,
        decoder=msgspec.json.Decoder(record, float_hook=str),
        run_decoder=msgspec.json.Decoder(GenericAlias(list, (record,)), float_hook=str),
        tokens={key: f'"{key}"'.encode() for key in keys},
        escape=_ESCAPED_ASCII if is_ascii else re.compile(rb"\\u"),
        column_count=len(paths),
        any_token="|".join(f'"{key}"' for key in sorted(keys))
        if all(re.fullmatch("[A-Za-z0-9_]+", key) for key in keys)
        else None,
    )
