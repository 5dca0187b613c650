"""Places in JSON text: values, members and runs, whatever the blocks."""

from __future__ import annotations

import msgspec
import pytest

from dataspine.adapters import json_scan
from dataspine.adapters.json_scan import (
    Cursor,
    Run,
    array_batches,
    elements_of,
    object_members,
    skip_value,
)
from dataspine.errors import PayloadError
from dataspine.schemas.payload import MAX_RECORD_BYTES

decode = msgspec.json.Decoder(list[dict]).decode


def cursor_on(text: bytes, block: int = 1) -> Cursor:
    return Cursor(text[start : start + block] for start in range(0, len(text), block))


def elements(text: bytes, block: int = 7, window: int = 40) -> list[bytes]:
    found: list[bytes] = []
    for batch in array_batches(cursor_on(text, block), decode, window_bytes=window):
        found += elements_of(batch.piece) if isinstance(batch, Run) else batch
    return found


VALUES = [
    b'{"a":[1,{"b":"}]"}]}',
    b'"\\\\"',
    b'"a\\"b"',
    b"[[],{}]",
    b"-1.5e3",
    b"tru",
    b'{"a":"\\\\\\""}',
    b'{"a" 1}',
    b'"\n"',
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("block", [1, 2, 3, 100])
@pytest.mark.parametrize("kept_bytes", [1, 4, 1000])
def test_value_is_passed_over(
    value: bytes, block: int, kept_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_scan, "KEPT_BYTES", kept_bytes)
    cursor = cursor_on(value + b" ,x", block)
    assert skip_value(cursor) == value[:kept_bytes]
    assert cursor.offset == len(value)
    assert cursor.take(b",")
    assert cursor.peek() == b"x"


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        (b'{"a":1', 6),
        (b'"abc', 4),
        (b'"abc\\', 5),
        (b'"abc\\"', 6),
        (b"[1}", 2),
        (b'{"a":[1}', 7),
        (b"}", 0),
        (b",", 0),
        (b"", 0),
    ],
)
@pytest.mark.parametrize("block", [1, 100])
def test_value_without_end_is_refused_with_its_offset(text: bytes, offset: int, block: int) -> None:
    with pytest.raises(PayloadError, match=rf"\(byte {offset}\)") as caught:
        skip_value(cursor_on(text, block))
    assert caught.value.code == "JSON_SYNTAX"


def test_large_value_is_kept_in_part_and_passed_over_whole() -> None:
    value = b'{"a":"' + b'\\"},{' * (MAX_RECORD_BYTES // 2) + b'"}'
    cursor = cursor_on(value + b"!", 100_003)
    assert skip_value(cursor) == value[: MAX_RECORD_BYTES + 1]
    assert cursor.peek() == b"!"


def test_endless_brackets_are_refused() -> None:
    with pytest.raises(PayloadError, match=f"byte {MAX_RECORD_BYTES}"):
        skip_value(cursor_on(b"[" * (MAX_RECORD_BYTES + 1), 4096))


def test_members_are_walked_with_the_cursor_on_their_values() -> None:
    cursor = cursor_on(b'{ "a" : 1 , "\\u0062":{"c":2},"":[ ] } x')
    assert [(key, skip_value(cursor)) for key in object_members(cursor)] == [
        ("a", b"1"),
        ("b", b'{"c":2}'),
        ("", b"[ ]"),
    ]
    assert cursor.skip_space() == b"x"


def test_empty_object_has_no_members() -> None:
    assert list(object_members(cursor_on(b"{ }"))) == []


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,}',
        b'{"a" 1}',
        b"{a:1}",
        b'{"a":1 "b":2}',
        b'{"a":}',
        b'{"a":1',
        b'{"\\q":1}',
        b'{"\xff":1}',
        b'{"\\ud800":1}',
        b"{,}",
    ],
)
def test_malformed_object_is_refused(text: bytes) -> None:
    cursor = cursor_on(text)
    with pytest.raises(PayloadError) as caught:
        assert [skip_value(cursor) for _ in object_members(cursor)]
    assert caught.value.code == "JSON_SYNTAX"


@pytest.mark.parametrize(
    "text",
    [
        b'[{"s":1},]',
        b"[,]",
        b'[{"s":1} {"s":2}]',
        b'[{"s":1};{"s":2}]',
        b'[{"s":1}',
        b"[",
        b'[{"s":1}}',
        b'[{"s":[}]',
        b'[{"s":"',
    ],
)
@pytest.mark.parametrize("window", [1, 12, 1000])
def test_malformed_array_is_refused(text: bytes, window: int) -> None:
    with pytest.raises(PayloadError) as caught:
        elements(text, window=window)
    assert caught.value.code == "JSON_SYNTAX"


@pytest.mark.parametrize("window", [1, 15, 33, 60, 1000])
@pytest.mark.parametrize(
    "record",
    [
        b'{"s":"a"}',
        b'{"s":"},{\\"s\\""}',
        b'{"s":1,"l":[{"s":2},{"s":3}, {"s":4}]}',
        b'{"l":[[{"s":2},{"s":3}]],"s":{"s":{"s":1}}}',
        b"{}",
        b'{ "s" : "\\\\" }',
        b'{"s":NaN}',
        b'"},{"',
        b"7",
    ],
)
def test_look_alikes_inside_records_are_no_cuts(record: bytes, window: int) -> None:
    records = [b'{"s":0}', *[record] * 7, b'{"s":9}']
    assert elements(b"[" + b" ,\n".join(records) + b" ]", window=window) == records


def test_runs_are_proven_where_records_are_sound() -> None:
    text = b"[" + b",".join(b'{"s":%d}' % number for number in range(50)) + b"]"
    batches = list(array_batches(cursor_on(text, 1000), decode, window_bytes=100))
    assert sum(isinstance(batch, Run) for batch in batches) >= 4
    assert [record["s"] for batch in batches if isinstance(batch, Run) for record in batch.decoded][
        :9
    ] == list(range(9))


def test_runs_go_on_behind_damage() -> None:
    records = [b'{"s":%d,"pad":"%s"}' % (number, b"x" * 1000) for number in range(1000)]
    records[300] = b'{"s":NaN}'
    batches = list(
        array_batches(cursor_on(b"[" + b",".join(records) + b"]", 4096), decode, window_bytes=500_000)
    )
    scanned = [raw for batch in batches if isinstance(batch, list) for raw in batch]
    assert b'{"s":NaN}' in scanned
    assert len(scanned) < 200


@pytest.mark.parametrize("depth", [1, 900, 1_000, 100_000])
def test_elements_of_any_depth_are_found(depth: int) -> None:
    deep = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    assert elements_of(b'[{"b":1},' + deep + b"]") == [b'{"b":1}', deep]


@pytest.mark.parametrize("block", [1, 3, 100])
def test_rest_is_limited(block: int) -> None:
    cursor = cursor_on(b"  0123456789", block)
    cursor.skip_space()
    assert cursor.rest(10) == b"0123456789"
    cursor = cursor_on(b"  0123456789", block)
    with pytest.raises(PayloadError) as caught:
        cursor.rest(9)
    assert caught.value.code == "SIZE"
