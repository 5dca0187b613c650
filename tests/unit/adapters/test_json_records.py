"""JSON documents and lines to chunks: shapes, limits, and what is refused as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from dataspine.adapters import json_records
from dataspine.adapters.json_records import read_json_chunks, read_json_record
from dataspine.errors import PayloadError
from dataspine.schemas.payload import MAX_RECORD_BYTES
from dataspine.schemas.source import JsonShape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataspine.schemas.payload import RawChunk

PATHS = ("s", "p")


def chunks(
    text: bytes, *, lines: bool = False, shape: JsonShape | None = None, **options: object
) -> list[RawChunk]:
    return list(read_json_chunks([text], shape or JsonShape(), PATHS, lines=lines, **options))


def rows(found: list[RawChunk]) -> list[tuple[object, ...]]:
    return [row for chunk in found for row in chunk.frame.rows()]


def codes(found: list[RawChunk]) -> list[tuple[int, str]]:
    return [(fault.position, fault.code) for chunk in found for fault in chunk.faults]


def refusal(text: bytes, **options: object) -> str:
    with pytest.raises(PayloadError) as caught:
        chunks(text, **options)
    return caught.value.code


def test_frame_has_position_and_one_text_column_a_path() -> None:
    (chunk,) = chunks(b'[{"s":"A","p":1.50,"z":0},{"p":2}]')
    assert chunk.frame.schema == {"position": pl.Int64, "s": pl.String, "p": pl.String}
    assert chunk.frame.rows() == [(1, "A", "1.50"), (2, None, "2")]
    assert (chunk.faults, chunk.broken, chunk.records, chunk.skipped) == ([], frozenset(), 2, {})


@pytest.mark.parametrize("text", [b"", b" \n\t\r "])
@pytest.mark.parametrize("lines", [False, True])
def test_nothing_is_refused(text: bytes, lines: bool) -> None:
    assert refusal(text, lines=lines) == "EMPTY"


@pytest.mark.parametrize("text", [b"1", b'"Unknown symbol"', b"true", b"null", b" -1.5 \n"])
def test_scalar_document_is_refused(text: bytes) -> None:
    assert refusal(text) == "JSON_SHAPE"


@pytest.mark.parametrize(
    "text",
    [
        b"Unknown symbol",
        b"<html>",
        b"NaN",
        b"tru",
        b"1 2",
        b'[{"s":1}]x',
        b"[] []",
        b"[",
        b'[{"s":1}',
        b'[{"s":1},]',
        b'[{"s":"A"',
        b"]",
        b"}",
        b"\xff",
    ],
)
def test_text_that_is_no_json_is_refused(text: bytes) -> None:
    assert refusal(text) == "JSON_SYNTAX"


def test_refusal_shows_inert_text_and_its_place() -> None:
    with pytest.raises(PayloadError) as caught:
        chunks(b"  <html>\x1b[31m")
    assert "byte 2" in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("records", ["object", "map", "envelope"])
def test_array_where_an_object_is_declared_is_refused(records: str) -> None:
    assert refusal(b'[{"s":"A"}]', shape=JsonShape(records=records)) == "JSON_SHAPE"


def test_array_without_records_is_no_failure() -> None:
    assert chunks(b" [ ] ") == []


def test_single_object_is_one_record() -> None:
    (chunk,) = chunks(b' {"s":"A","p":1} \n')
    assert chunk.frame.rows() == [(1, "A", "1")]
    assert chunk.raw([1]) == [b'{"s":"A","p":1}']


@pytest.mark.parametrize(
    ("value", "code"), [(b"NaN", "JSON_LITERAL"), (b'"\xff"', "ENCODING"), (b"01", "JSON_SYNTAX")]
)
@pytest.mark.parametrize("key", [b"p", b"status", b"error"])
def test_damage_inside_a_single_object_is_that_of_a_record(key: bytes, value: bytes, code: str) -> None:
    found = chunks(b'{"s":"A","' + key + b'":' + value + b"}")
    assert codes(found) == [(1, code)]
    assert found[0].broken == {1}


def test_map_has_keys() -> None:
    text = b'{"AAPL":{"quote":{"s":"A","p":1}},"B":{"s":"B"},"C":{"quote":null},"D":{"p":NaN}}'
    (chunk,) = chunks(text, shape=JsonShape(unwrap="quote"))
    assert chunk.frame.columns == ["position", "s", "p", "key:"]
    assert chunk.frame.rows() == [(1, "A", "1", "AAPL"), (2, "B", None, "B"), (3, None, None, "C")]
    assert codes([chunk]) == [(3, "TYPE"), (4, "JSON_LITERAL")]
    assert chunk.keys is not None
    assert chunk.keys([4, 1]) == ["D", "AAPL"]
    assert chunk.raw([4, 1]) == [b'{"p":NaN}', b'{"quote":{"s":"A","p":1}}']


@pytest.mark.parametrize("chunk_records", [1, 7, 3000])
def test_large_map_keeps_keys_and_records_together(chunk_records: int) -> None:
    text = b"{" + b",".join(b'"K%d":{"s":"S%d"}' % (number, number) for number in range(2_500)) + b"}"
    found = chunks(text, chunk_records=chunk_records)
    assert rows(found) == [(n + 1, f"S{n}", None, f"K{n}") for n in range(2_500)]
    assert all(chunk.keys is not None for chunk in found)
    assert [key for chunk in found for key in chunk.keys(chunk.frame["position"].to_list())][-1] == "K2499"


def test_member_of_a_declared_map_that_is_no_object_is_broken() -> None:
    found = chunks(b'{"A":{"s":"x"},"B":7}', shape=JsonShape(records="map"))
    assert (rows(found), codes(found)) == ([(1, "x", None, "A")], [(2, "JSON_SHAPE")])


def test_element_that_is_no_object_is_broken() -> None:
    found = chunks(b'[{"s":"A"},7,[{"s":"B"}],null,"x",{"s":"C"}]')
    assert codes(found) == [(position, "JSON_SHAPE") for position in (2, 3, 4, 5)]
    assert rows(found) == [(1, "A", None), (6, "C", None)]


def test_envelope_value_stands_in_every_row() -> None:
    text = b'{"results":[{"s":"A"},{"s":"B"},5],"ticker":"T","n":[1]}'
    (chunk,) = chunks(text, envelope_paths=("ticker", "n", "none"))
    assert chunk.frame["envelope:ticker"].to_list() == ["T", "T"]
    assert chunk.frame["envelope:none"].to_list() == [None, None]
    assert chunk.frame.schema["envelope:none"] == pl.String
    assert chunk.context == {"envelope:ticker": "T"}
    assert codes([chunk]) == [(1, "TYPE"), (2, "TYPE"), (3, "JSON_SHAPE"), (3, "TYPE")]


@pytest.mark.parametrize(("text", "lines"), [(b'[{"s":"A"}]', False), (b'{"s":"A"}', True)])
def test_envelope_columns_are_null_where_nothing_is_around(text: bytes, lines: bool) -> None:
    (chunk,) = chunks(text, lines=lines, envelope_paths=("ticker",))
    assert chunk.frame["envelope:ticker"].to_list() == [None]


def test_lines_go_on_behind_bad_ones() -> None:
    text = b'{"s":"A"}\n\n{"s":"B"\n \r\n{"s":"C"}\r\n[{"s":"D"}]\n{"s":"E"}{"s":"F"}\n{"s":\n"G"}\n{"s":"tor'
    (chunk,) = chunks(text, lines=True)
    assert rows([chunk]) == [(1, "A", None), (3, "C", None)]
    assert codes([chunk]) == [
        (2, "JSON_SYNTAX"),
        (4, "JSON_SHAPE"),
        (5, "JSON_SYNTAX"),
        (6, "JSON_SYNTAX"),
        (7, "JSON_SYNTAX"),
        (8, "JSON_SYNTAX"),
    ]
    assert chunk.skipped == {"blank": 2}
    assert chunk.raw([3, 8]) == [b'{"s":"C"}', b'{"s":"tor']


def test_two_records_on_a_line_do_not_make_up_for_one_on_two_lines() -> None:
    found = chunks(b'{"s":"A"},{"s":"B"}\n{"s":"C","z":[{}\n{}]}\n{"s":"D"}\n', lines=True)
    assert (rows(found), [code for _, code in codes(found)]) == ([(4, "D", None)], ["JSON_SYNTAX"] * 3)


@pytest.mark.parametrize("window_bytes", [12, 1000])
def test_blank_lines_behind_a_full_chunk_are_counted(window_bytes: int) -> None:
    found = chunks(b'{"s":"A"}\n' + b"\n" * 50, lines=True, chunk_records=1, window_bytes=window_bytes)
    assert sum(chunk.skipped.get("blank", 0) for chunk in found) == 50
    assert sum(chunk.records for chunk in found) == 1


def test_line_that_is_too_long_for_its_white_space_is_no_blank_one() -> None:
    found = chunks(b" " * (MAX_RECORD_BYTES + 1) + b'{"s":"A"}\n{"s":"B"}', lines=True)
    assert (rows(found), codes(found)) == ([(2, "B", None)], [(1, "SIZE")])


@pytest.mark.parametrize("lines", [False, True])
def test_too_large_record_is_broken_and_its_neighbours_are_not(lines: bool) -> None:
    large = b'{"s":"' + b'},{\\"' * (MAX_RECORD_BYTES // 2) + b'"}'
    exact = b'{"s":"edge","z":"' + b"x" * (MAX_RECORD_BYTES - 19) + b'"}'
    assert len(exact) == MAX_RECORD_BYTES
    raws = [b'{"s":"A"}', large, exact, exact[:-2] + b'x"}', b'{"s":"B"}']
    text = b"\n".join(raws) if lines else b"[" + b",".join(raws) + b"]"
    blocks = [text[start : start + 60_000] for start in range(0, len(text), 60_000)]
    found = list(read_json_chunks(blocks, JsonShape(), PATHS, lines=lines))
    assert rows(found) == [(1, "A", None), (3, "edge", None), (5, "B", None)]
    assert codes(found) == [(2, "SIZE"), (4, "SIZE")]
    (kept,) = found[0].raw([2])
    assert large.startswith(kept)
    assert codes([read_json_record(kept, JsonShape(), PATHS)]) == [(1, "SIZE")]


def test_document_that_must_be_held_whole_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "MAX_DOCUMENT_BYTES", 20)
    assert rows(chunks(b'{"s":"A","p":123456}')) == [(1, "A", "123456")]
    assert refusal(b'{"s":"A","p":1234567}') == "SIZE"
    assert len(rows(chunks(b'[{"s":"A"},{"s":"B"},{"s":"C"}]'))) == 3


def test_records_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "MAX_RECORDS", 2)
    assert len(rows(chunks(b"[{},{}]"))) == 2
    assert refusal(b"[{},{},{}]") == "SIZE"


def test_chunk_of_large_records_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "MAX_CHUNK_BYTES", 3_000_000)
    record = b'{"s":"A","z":"' + b"x" * 1_000_000 + b'"}'
    found = chunks(b"\n".join([record] * 10), lines=True)
    assert [chunk.records for chunk in found] == [3, 3, 3, 1]


@pytest.mark.parametrize("lines", [False, True])
def test_large_input_streams(lines: bool) -> None:
    taken = 0

    def blocks() -> Iterator[bytes]:
        nonlocal taken
        record = b'{"s":"A","p":1}' + (b"\n" if lines else b",")
        if not lines:
            yield b"["
        while True:
            taken += 1
            yield record * 4096

    first = next(read_json_chunks(blocks(), JsonShape(), PATHS, lines=lines, chunk_records=1000))
    assert first.records == 1000
    assert taken * 4096 * 16 < 4 * MAX_RECORD_BYTES


def test_chunks_before_the_damage_are_out_when_the_document_is_refused() -> None:
    reading = read_json_chunks(
        [b'[{"s":"A"},{"s":"B"},', b'{"s":"C"} oops'],
        JsonShape(),
        PATHS,
        lines=False,
        chunk_records=1,
        window_bytes=25,
    )
    assert next(reading).frame["s"].to_list() == ["A"]
    with pytest.raises(PayloadError, match="byte 31"):
        list(reading)


def test_raw_of_a_position_outside_the_chunk_is_an_error() -> None:
    (chunk,) = chunks(b'[{"s":"A"}]')
    for position in (0, 2):
        with pytest.raises(IndexError):
            chunk.raw([position])


@pytest.mark.parametrize(
    "raw", [b'{"s":1}', b' {"s":"A","p":true}\r\n', b"", b"7", b'{"s":"A"', b'{"p":NaN}']
)
def test_record_read_again_has_the_same_verdict(raw: bytes) -> None:
    again = read_json_record(raw, JsonShape(), PATHS, text_paths=frozenset({"s"}))
    assert again.records == 1
    if raw:
        first = chunks(raw.strip(), lines=True, text_paths=frozenset({"s"}))
        assert (codes(first), rows(first)) == (codes([again]), rows([again]))
    else:
        assert codes([again]) == [(1, "JSON_SYNTAX")]
