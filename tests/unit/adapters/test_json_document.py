"""Documents that are an object: what the records are, what stands around them, and what is refused."""

from __future__ import annotations

import pytest

from dataspine.adapters.json_document import JsonDocument, Layout
from dataspine.errors import PayloadError
from dataspine.schemas.source import JsonShape


def document(text: bytes, *envelope_paths: str, **shape: object) -> JsonDocument:
    return JsonDocument(text, JsonShape(**shape), envelope_paths=envelope_paths, before_bytes=0)


def kind(layout: Layout) -> str:
    if layout.array_start is not None:
        return "array"
    return "map" if layout.keys else "object" if layout.records else "nothing"


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        (b'{"results":[{"a":1}]}', {}, "array"),
        (b'{"results":[]}', {}, "nothing"),
        (b'{"results":null}', {}, "nothing"),
        (b'{"A":{"p":1},"B":{}}', {}, "map"),
        (b'{"A":{"p":1},"b":2}', {}, "object"),
        (b"{}", {}, "object"),
        (b'{"quote":{"p":1}}', {"unwrap": "quote"}, "object"),
        (b'{"quote":{"p":1}}', {}, "map"),
        (b'{"data":{"bars":[{}]}}', {"path": "data.bars"}, "array"),
        (b'{"status":"OK","count":0}', {"records": "envelope"}, "nothing"),
        (b'{"results":[{"a":1}]}', {"records": "object"}, "object"),
        (b'{"results":[{"a":1}]}', {"records": "map"}, "map"),
        (b"{}", {"records": "map"}, "nothing"),
        (b'{"error":null,"A":1}', {}, "object"),
        (b'{"error":[],"results":[]}', {"records": "envelope"}, "nothing"),
        (b'{"error":"partial","results":[{"a":1}]}', {}, "array"),
    ],
)
def test_records_are_where_the_shape_says(text: bytes, shape: dict[str, object], expected: str) -> None:
    assert kind(document(text, **shape).layout()) == expected


@pytest.mark.parametrize("records", ["auto", "envelope", "map", "object", "array"])
@pytest.mark.parametrize(
    "text",
    [
        b'{"ticker":"APx","error":"NOT_FOUND"}',
        b'{"status":"ERROR","request_id":1}',
        b'{"status":"error"}',
        b'{"error":{"code":1}}',
        b'{"results":[],"error":"limit"}',
        b'{"error":"' + b"x" * 2_000_000 + b'"}',
    ],
)
def test_error_message_of_the_vendor_is_refused(records: str, text: bytes) -> None:
    with pytest.raises(PayloadError) as caught:
        document(text, records=records).layout()
    assert caught.value.code == "VENDOR_ERROR"
    assert len(str(caught.value)) < 300


def test_error_keys_may_be_paths() -> None:
    with pytest.raises(PayloadError) as caught:
        document(
            b'{"chart":{"result":null,"error":"x"}}', path="chart.result", error_keys=("chart.error",)
        ).layout()
    assert caught.value.code == "VENDOR_ERROR"


@pytest.mark.parametrize(
    ("text", "shape", "code"),
    [
        (b'{"a":1}', {"records": "array"}, "JSON_SHAPE"),
        (b'{"results":{"a":1}}', {"records": "envelope"}, "JSON_SHAPE"),
        (b'{"results":7}', {}, "JSON_SHAPE"),
        (b'{"results":[{"a":1}],"results":[]}', {}, "JSON_DUPLICATE_KEY"),
        (b'{"a":1,"results":[{"a":1}],"b":NaN}', {}, "JSON_SYNTAX"),
        (b'{"a":"\xff","results":[{"a":1}]}', {}, "JSON_SYNTAX"),
        (b'{"a":' + b"[" * 65 + b"]" * 65 + b',"results":[{"a":1}]}', {}, "JSON_SYNTAX"),
        (b'{"a":' + b"[" * 9999 + b"]" * 9999 + b',"results":[]}', {}, "JSON_SYNTAX"),
        (b'{"b":01}', {"records": "envelope"}, "JSON_SYNTAX"),
    ],
)
def test_unsound_document_is_refused(text: bytes, shape: dict[str, object], code: str) -> None:
    with pytest.raises(PayloadError) as caught:
        document(text, **shape).layout()
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1',
        b'{"a":1}x',
        b'{"a":1},',
        b'{"a":1}{}',
        b'{"a"}',
        b'{"results":[{"a":1}',
        b'{"results":[1 2]}',
    ],
)
def test_text_that_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(PayloadError) as caught:
        document(text)
    assert caught.value.code == "JSON_SYNTAX"


def test_offsets_count_from_the_start_of_the_payload() -> None:
    with pytest.raises(PayloadError, match=r"byte 17\)"):
        JsonDocument(b'{"a":1}x', JsonShape(), envelope_paths=(), before_bytes=10)


def test_surroundings_are_text() -> None:
    around = document(
        b'{"ticker":"AAPL","n":{"x":1.50},"results":[{}],"b":true,"gone":null}',
        "ticker",
        "n.x",
        "b",
        "gone",
        "none",
    ).surroundings()
    assert around.texts == {
        "envelope:ticker": "AAPL",
        "envelope:n.x": "1.50",
        "envelope:b": None,
        "envelope:gone": None,
        "envelope:none": None,
    }
    assert around.complaints == (("TYPE", "envelope:b", "expected a string or number, found true"),)


def test_key_around_the_records_given_twice_is_refused_where_it_is_read() -> None:
    text = b'{"ticker":"A","ticker":"B","z":1,"z":2,"results":[{}]}'
    assert document(text).surroundings().texts == {}
    with pytest.raises(PayloadError) as caught:
        document(text, "ticker").surroundings()
    assert caught.value.code == "JSON_DUPLICATE_KEY"
