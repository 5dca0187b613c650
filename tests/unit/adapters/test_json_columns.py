"""Columns of runs: fast where that is the whole truth, exact elsewhere, the same either way."""

from __future__ import annotations

import pytest

from dataspine.adapters.json_columns import Part, RecordColumns, array_of
from dataspine.adapters.json_plan import compile_plan
from dataspine.schemas.payload import MAX_DEPTH, MAX_FIELD_CHARS


def columns_at(*paths: str, text: tuple[str, ...] = (), unwrap: str | None = None) -> RecordColumns:
    return RecordColumns(paths or ("s", "p"), text_paths=frozenset(text), unwrap=unwrap)


def run(reader: RecordColumns, raws: list[bytes]) -> Part:
    piece = array_of(raws)
    return reader.part_of_run(piece, reader.decode(piece), first=1)


def plain(raw: bytes, *paths: str, unwrap: str | None = None) -> bool:
    """Whether the fast path takes a run of this record and a sound one."""
    plan = compile_plan(paths or ("s", "p"), frozenset({"s"}), unwrap)
    assert plan is not None
    piece = array_of([raw, b'{"s":"A","p":1}'])
    return plan.columns(plan.run_decoder.decode(piece), piece) is not None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"s":"A","p":1}',
        b'{"s":null,"p":1.5}',
        b"{}",
        b'{"s":"p","p":"s"}',
        b'{"s":"A","z":{"s":1,"p":2},"l":[{"p":3}]}',
        b'{"s":"caf\\u00e9"}',
        '{"s":"é"}'.encode(),
        b'{"s":"\\ud83d\\ude00"}',
        b'{"s":"A","p":0}',
        b'{"p":-0.0}',
        b'{"s":"x-0 "}',
        b'{"z":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}",
    ],
)
def test_plain_run_is_read_the_fast_way(raw: bytes) -> None:
    assert plain(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"p":1,"p":2}',
        b'{"p":1,"\\u0070":2}',
        b'{"p":true}',
        b'{"p":[]}',
        b'{"p":-0}',
        b'{"z":"\xff"}',
        b'{"z":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    ],
)
def test_doubtful_run_is_not(raw: bytes) -> None:
    assert not plain(raw)


def test_key_given_twice_is_seen_beside_text_that_looks_like_it() -> None:
    assert plain(b'{"1e5":1,"z":[1e5,"1e5"]}', "1e5", "s")
    assert not plain(b'{"1e5":1,"1e5":2,"z":1e5}', "1e5", "s")
    assert not plain(b'{"p":1,"p":2,"z":' + b"9" * 5000 + b"}")


def test_key_of_an_unwrapped_object_given_twice_is_seen() -> None:
    assert plain(b'{"q":{"p":1},"p":2}', unwrap="q")
    assert not plain(b'{"q":{"p":1,"p":2}}', unwrap="q")
    assert not plain(b'{"q":{"p":1},"q":{"p":1}}', unwrap="q")


@pytest.mark.parametrize("paths", [("a", "a.b"), ("a.b", "a"), ("a/b",), ('a"b',), ("a\\b",), ("a\nb",)])
def test_paths_that_a_decoder_cannot_follow_are_read_exactly(paths: tuple[str, ...]) -> None:
    assert compile_plan(paths, frozenset(), None) is None
    part = run(columns_at(*paths), [b'{"a":"x","a\\/b":1,"a\\"b":2,"a\\\\b":3,"a\\nb":4}'])
    assert part.count == 1
    assert part.frame[paths[-1]].to_list() != [None] or paths in [("a", "a.b"), ("a.b", "a")]


def test_unwrapped_key_on_a_path_is_read_exactly() -> None:
    part = run(columns_at("q.p", unwrap="q"), [b'{"q":{"q":{"p":7}}}', b'{"r":1}'])
    assert part.frame["q.p"].to_list() == ["7", None]


@pytest.mark.parametrize(
    "numbers",
    [
        ["1", "2"],
        ["1", "2.50"],
        [str(2**63), "-1"],
        [str(2**64), str(-(2**70))],
        ["9" * 4000, "1e5"],
        ["9" * 4300, "0"],
        ["-0", "0"],
        [str(2**63 - 1), str(-(2**63))],
    ],
)
def test_numbers_keep_every_digit(numbers: list[str]) -> None:
    part = run(columns_at(), [f'{{"p":{number}}}'.encode() for number in [*numbers, "null"]])
    expected = [number if len(number) <= MAX_FIELD_CHARS else None for number in numbers]
    assert part.frame["p"].to_list() == [*expected, None]


def test_many_digits_do_not_harm_neighbours() -> None:
    part = run(columns_at(), [b'{"p":1}', b'{"p":' + b"9" * 5000 + b"}", b'{"p":3}'])
    assert part.frame["p"].to_list() == ["1", None, "3"]
    assert [(fault.position, fault.code) for fault in part.faults] == [(2, "FIELD_TOO_LONG")]


def test_long_field_is_a_fault_and_a_long_one_of_few_characters_is_not() -> None:
    texts = ["é" * MAX_FIELD_CHARS, "é" * (MAX_FIELD_CHARS + 1), "x"]
    part = run(columns_at(), [f'{{"p":"{text}"}}'.encode() for text in texts])
    assert part.frame["p"].to_list() == [texts[0], None, "x"]
    assert [fault.position for fault in part.faults] == [2]


@pytest.mark.parametrize("depth", range(900, 1_010, 3))
def test_depth_at_the_edge_of_the_decoder_is_only_a_fault(depth: int) -> None:
    deep = b'{"z":' + b"[" * depth + b"]" * depth + b"}"
    raws = [b'{"p":1}', deep, b'{"p":3}']
    reader = columns_at()
    decoded = reader.decode_lines(raws)
    parts = [reader.part_of_records(raws, first=1), reader.part_of_run(array_of(raws), decoded, first=1)]
    for part in parts:
        assert part.broken == {2}
        assert [fault.code for fault in part.faults] == ["DEPTH"]
        assert list(part.raws()) == raws


def test_one_bad_record_of_many_leaves_the_others() -> None:
    raws = [b'{"s":"A","p":%d}' % number for number in range(5_000)]
    raws[777] = b'{"s":"A","p":NaN}'
    raws[4_000] = b'{"s":5,"p":7}'
    part = columns_at(text=("s",)).part_of_records(raws, first=10)
    assert part.broken == {787}
    assert part.frame["p"].to_list() == [
        str(number) for number in range(5_000) if number not in (777, 4_000)
    ][:3_999] + ["7"] + [str(number) for number in range(4_001, 5_000)]
    assert [(fault.position, fault.code) for fault in part.faults] == [(787, "JSON_LITERAL"), (4_010, "TYPE")]


def test_part_is_split_at_any_record() -> None:
    raws = [b'{"p":1}', b"7", b'{"p":true}', b'{"p":4}']
    part = columns_at().part_of_records(raws, first=5)
    for count in range(5):
        head, tail = part.split(count)
        assert (head.first, head.count, tail.first, tail.count) == (5, count, 5 + count, 4 - count)
        assert [*head.frame["position"], *tail.frame["position"]] == [5, 7, 8]
        assert [fault.position for fault in (*head.faults, *tail.faults)] == [6, 7]
        assert head.broken | tail.broken == {6}
        assert head.frame.height + len(head.broken) == count


def test_no_paths_leave_positions() -> None:
    reader = RecordColumns((), text_paths=frozenset(), unwrap=None)
    assert run(reader, [b"{}", b'{"a":1}']).frame["position"].to_list() == [1, 2]
    assert reader.part_of_records([b"{}", b"1"], first=1).frame["position"].to_list() == [1]
