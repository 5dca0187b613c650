"""JSON records come back exactly, however they are written, cut into blocks or surrounded by damage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataspine.adapters.json_columns import RecordColumns
from dataspine.adapters.json_exact import ExactReader
from dataspine.adapters.json_records import read_json_chunks, read_json_record
from dataspine.errors import PayloadError
from dataspine.schemas.source import JsonShape

if TYPE_CHECKING:
    from collections.abc import Iterator

PATHS = ("symbol", "price", "quote.volume", "quote.deep.x")
BLOCK_SIZES = (1, 7, 64, 4096)
CHUNK_SIZES = (1, 2, 8, 1024)
WINDOW_SIZES = (16, 100, 700, 1024**2)
SHAPE = JsonShape()


@dataclass(frozen=True)
class Number:
    """A number as it stands on the wire."""

    text: str


@dataclass(frozen=True)
class Style:
    """How JSON is laid out."""

    comma: str
    colon: str
    pad: str
    is_ascii: bool

    def dump(self, value: object) -> str:
        match value:
            case Number():
                return value.text
            case dict():
                members = (f"{self.dump(key)}{self.colon}{self.dump(item)}" for key, item in value.items())
                return f"{{{self.pad}{self.comma.join(members)}{self.pad}}}"
            case list():
                return f"[{self.pad}{self.comma.join(map(self.dump, value))}{self.pad}]"
        return json.dumps(value, ensure_ascii=self.is_ascii)


def numbers() -> st.SearchStrategy[Number]:
    texts = st.from_regex(r"\A-?(0|[1-9][0-9]{0,45})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,6})?\Z")
    return st.builds(
        Number, texts | st.sampled_from(["0", "-0", "-0.0", "1e999999", str(2**63), str(-(2**64))])
    )


def texts() -> st.SearchStrategy[str]:
    confusing = st.sampled_from(
        [
            "},{",
            '"},{"symbol":"',
            "\\",
            "]",
            '"symbol"',
            '"price":',
            "\\u0022",
            "NaN",
            "-0",
            "é",
            "\u2028",
            "\x00",
        ]
    )
    return st.text(max_size=6) | st.lists(confusing, max_size=4).map("".join)


def scalars() -> st.SearchStrategy[object]:
    return numbers() | texts() | st.none()


def others() -> st.SearchStrategy[object]:
    """Values that no path reads: nested arrays of objects that look like records, and anything else."""
    lookalike = st.fixed_dictionaries({"symbol": texts(), "price": numbers()})
    leaf = scalars() | st.booleans() | lookalike
    return st.recursive(
        leaf,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=2),
        max_leaves=5,
    )


def records() -> st.SearchStrategy[dict[str, object]]:
    quote = st.fixed_dictionaries(
        {},
        optional={
            "volume": scalars(),
            "deep": st.none() | st.fixed_dictionaries({"x": scalars()}),
            "price": others(),
        },
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "symbol": scalars(),
            "price": scalars(),
            "quote": st.none() | quote,
            "legs": others(),
            "z": others(),
        },
    ).flatmap(lambda record: st.permutations(list(record.items())).map(dict))


def styles() -> st.SearchStrategy[Style]:
    return st.builds(
        Style,
        comma=st.sampled_from([",", ", ", ",\n  ", " ,\r\n\t", "," + " " * 70]),
        colon=st.sampled_from([":", ": ", " : "]),
        pad=st.sampled_from(["", " ", "\n"]),
        is_ascii=st.booleans(),
    )


def expected_row(record: dict[str, object]) -> tuple[str | None, ...]:
    """Texts at PATHS, found without the reader."""

    def text_at(path: str) -> str | None:
        value: object = record
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value.text if isinstance(value, Number) else value

    return tuple(map(text_at, PATHS))


def blocks_of(document: bytes, size: int) -> Iterator[bytes]:
    return (document[start : start + size] for start in range(0, len(document), size))


@dataclass(frozen=True)
class Reading:
    """Everything that chunks hold, without the chunks."""

    rows: list[tuple[object, ...]]
    faults: list[tuple[int, str, str, str]]
    broken: set[int]
    raws: list[bytes]


def read(
    document: bytes, *, block: int = 4096, chunk: int = 1024, window: int = 1024**2, **options: object
) -> Reading:
    reading = Reading([], [], set(), [])
    shape = options.pop("shape", SHAPE)
    options = {"lines": False, **options}
    chunks = read_json_chunks(
        blocks_of(document, block), shape, PATHS, chunk_records=chunk, window_bytes=window, **options
    )
    for part in chunks:
        assert 0 < part.records <= chunk
        reading.rows.extend(part.frame.rows())
        reading.faults.extend(
            (fault.position, fault.code, fault.field, fault.message) for fault in part.faults
        )
        reading.broken.update(part.broken)
        reading.raws.extend(part.raw(sorted([*part.frame["position"], *part.broken])))
    return reading


sizes = {
    "block": st.sampled_from(BLOCK_SIZES),
    "chunk": st.sampled_from(CHUNK_SIZES),
    "window": st.sampled_from(WINDOW_SIZES),
}


@given(st.lists(records(), max_size=12), styles(), st.fixed_dictionaries(sizes))
def test_array_is_read_back_exactly(
    found: list[dict[str, object]], style: Style, size: dict[str, int]
) -> None:
    reading = read(style.dump(found).encode("utf-8", "surrogatepass"), **size)
    assert reading.rows == [(number, *expected_row(record)) for number, record in enumerate(found, start=1)]
    assert reading.faults == []
    assert reading.raws == [style.dump(record).encode() for record in found]


@given(st.lists(records(), min_size=1, max_size=12), styles(), st.fixed_dictionaries(sizes))
def test_envelope_is_read_back_exactly(
    found: list[dict[str, object]], style: Style, size: dict[str, int]
) -> None:
    document = style.dump({"ticker": "},{", "data": {"z": [], "items": found, "y": 1.5}, "status": "OK"})
    shape = JsonShape(records="envelope", path="data.items")
    reading = read(document.encode(), shape=shape, envelope_paths=("ticker",), **size)
    assert reading.rows == [
        (number, *expected_row(record), "},{") for number, record in enumerate(found, start=1)
    ]
    assert reading.raws == [style.dump(record).encode() for record in found]


@given(
    st.lists(records(), min_size=1, max_size=12),
    st.sampled_from([Style(",", ":", "", True), Style(" , ", ": ", " ", False)]),
    st.sampled_from(["\n", "\r\n", "\n\n \n"]),
    st.fixed_dictionaries(sizes),
)
def test_lines_are_read_back_exactly(
    found: list[dict[str, object]], style: Style, line_end: str, size: dict[str, int]
) -> None:
    document = line_end.join(map(style.dump, found)).encode()
    reading = read(document, lines=True, **size)
    assert reading.rows == [(number, *expected_row(record)) for number, record in enumerate(found, start=1)]
    assert reading.raws == [style.dump(record).encode() for record in found]


DAMAGE = {
    b'{"symbol":"A","z":NaN}': "JSON_LITERAL",
    b'{"symbol":"A","price":-Infinity}': "JSON_LITERAL",
    b'{"symbol":"A","price":01}': "JSON_SYNTAX",
    b'{"symbol":"A",}': "JSON_SYNTAX",
    b'{"symbol" "A"}': "JSON_SYNTAX",
    b'{"symbol":"a\tb"}': "JSON_SYNTAX",
    b'{"symbol":"\xff"}': "ENCODING",
    b'{"z":"\xed\xa0\x80"}': "ENCODING",
    b'{"z":"\\ud800"}': "ENCODING",
    b'{"z":"\\udc00\\ud800"}': "ENCODING",
    b'{"\\ud83dx":1}': "ENCODING",
    b'{"price":1,"price":1}': "JSON_DUPLICATE_KEY",
    b'{"price":1,"pric\\u0065":2}': "JSON_DUPLICATE_KEY",
    b'{"quote":{"volume":1,"volume":2}}': "JSON_DUPLICATE_KEY",
    b'{"quote":{},"quote":{}}': "JSON_DUPLICATE_KEY",
    b'{"z":' + b"[" * 64 + b"]" * 64 + b"}": "DEPTH",
    b'{"z":' + b"[" * 50_000 + b"]" * 50_000 + b"}": "DEPTH",
    b"[]": "JSON_SHAPE",
    b'"},{"': "JSON_SHAPE",
    b"null": "JSON_SHAPE",
    b"nul": "JSON_SYNTAX",
    b"NaN": "JSON_LITERAL",
}


@pytest.mark.parametrize(("damage", "code"), DAMAGE.items(), ids=range(len(DAMAGE)))
@pytest.mark.parametrize("lines", [False, True])
@settings(max_examples=12)
@given(
    before=st.lists(records(), max_size=6),
    after=st.lists(records(), max_size=6),
    size=st.fixed_dictionaries(sizes),
)
def test_damage_stays_in_its_record(
    damage: bytes, code: str, lines: bool, before: list, after: list, size: dict[str, int]
) -> None:
    style = Style(",", ":", "", True)
    raws = [*(style.dump(r).encode() for r in before), damage, *(style.dump(r).encode() for r in after)]
    document = b"\n".join(raws) if lines else b"[" + b" ,\n".join(raws) + b"]"
    position = len(before) + 1
    reading = read(document, lines=lines, **size)
    assert [(fault[0], fault[1]) for fault in reading.faults] == [(position, code)]
    assert reading.broken == {position}
    assert [row[1:] for row in reading.rows] == [expected_row(record) for record in [*before, *after]]
    assert reading.raws == raws
    alone = read_json_record(damage, SHAPE, PATHS)
    assert [(fault.code, fault.message) for fault in alone.faults] == [reading.faults[0][1::2]]


FRAGMENTS = [
    *(bytes([code]) for code in b'{}[],: \n"\\\xff0'),
    *b"\xc3\xa9 -0 -0.0 1 1e5 true null NaN".split(),
    *b'"symbol" "price" "quote" "volume" "deep" "x" "a"'.split(),
    *b'"symbol":1 "symbol":"A" "price":-0 "price":{} "a":"price" "\\u0070rice":3'.split(),
    *b'"quote":{"volume":1} "quote":{"price":2} "quote":7 "quote":null'.split(),
    *b'"\\ud800" "\\ud83d\\ude00" "\\u00e9" "\\\\ud800"'.split(),
]


def mostly_records() -> st.SearchStrategy[bytes]:
    members = st.sampled_from([piece for piece in FRAGMENTS if b":" in piece and piece != b":"])
    return st.lists(members, max_size=4).map(lambda found: b"{" + b",".join(found) + b"}")


@settings(max_examples=400)
@given(mostly_records() | st.lists(st.sampled_from(FRAGMENTS), max_size=8).map(b"".join), st.booleans())
@example(b'{"price":-0}', False)
@example(b'{"symbol":1}', True)
def test_fast_reading_agrees_with_the_exact_one(raw: bytes, is_text: bool) -> None:
    texts_asked = frozenset({"symbol"} if is_text else ())
    for unwrap in (None, "price", "a"):
        verdict = ExactReader(PATHS, text_paths=texts_asked, unwrap=unwrap).read(raw)
        part = RecordColumns(PATHS, text_paths=texts_asked, unwrap=unwrap).part_of_records([raw], first=1)
        assert [row[1:] for row in part.frame.rows()] == ([] if verdict.values is None else [verdict.values])
        assert [(fault.code, fault.field, fault.message) for fault in part.faults] == list(verdict.complaints)


def outcome(document: bytes, **options: object) -> object:
    try:
        return read(document, **options)
    except PayloadError as error:
        return error.code, str(error)


@settings(max_examples=300)
@given(
    st.lists(mostly_records() | st.sampled_from(FRAGMENTS), max_size=8),
    st.sampled_from([b",", b", ", b"\n", b""]),
    st.sampled_from([(b"[", b"]"), (b'{"results":[', b'],"a":1}'), (b"", b""), (b"[", b"")]),
    st.booleans(),
)
def test_outcome_does_not_depend_on_blocks_windows_or_chunks(
    pieces: list[bytes], comma: bytes, around: tuple[bytes, bytes], lines: bool
) -> None:
    document = around[0] + comma.join(pieces) + around[1]
    whole = outcome(document, lines=lines)
    for size, window in ((1, 16), (7, 100), (64, 30)):
        assert outcome(document, lines=lines, block=size, window=window, chunk=3) == whole
