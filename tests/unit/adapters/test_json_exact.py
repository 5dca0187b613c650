"""One record by the rules alone: every text, every fault."""

from __future__ import annotations

import pytest

from dataspine.adapters.json_exact import ExactReader, Verdict, inert_excerpt, nesting_depth
from dataspine.schemas.payload import MAX_DEPTH, MAX_FIELD_CHARS, MAX_RECORD_BYTES


def read(raw: bytes, *paths: str, text: tuple[str, ...] = (), unwrap: str | None = None) -> Verdict:
    return ExactReader(paths or ("a",), text_paths=frozenset(text), unwrap=unwrap).read(raw)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b'"AAPL"', "AAPL"),
        (b'""', ""),
        (b"0", "0"),
        (b"-0", "-0"),
        (b"-0.0", "-0.0"),
        (b"1.50", "1.50"),
        (b"1E+5", "1E+5"),
        (b"1e999999", "1e999999"),
        (b"12345678.123456789", "12345678.123456789"),
        (b"18446744073709551616", "18446744073709551616"),
        (b"9" * 4096, "9" * 4096),
        (b'"\\u0000"', "\x00"),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        (b'"\\\\ud800"', "\\ud800"),
        ('"é"'.encode(), "é"),
        (b"null", None),
    ],
)
def test_text_is_exact(value: bytes, text: str | None) -> None:
    assert read(b'{"a": ' + value + b"}") == Verdict((text,), ())


def test_missing_is_null() -> None:
    assert read(b"{}", "a", "b.c") == Verdict((None, None), ())


@pytest.mark.parametrize(
    ("value", "found"),
    [(b"true", "true"), (b"false", "false"), (b"[1]", "an array"), (b"{}", "an object")],
)
def test_other_types_are_faults(value: bytes, found: str) -> None:
    verdict = read(b'{"a":' + value + b',"b":1}', "a", "b")
    assert verdict.values == (None, "1")
    assert verdict.complaints == (("TYPE", "a", f"expected a string or number, found {found}"),)


def test_number_where_text_is_asked_for_is_a_fault() -> None:
    verdict = read(b'{"a":123,"b":"123"}', "a", "b", text=("a", "b"))
    assert verdict == Verdict((None, "123"), (("TYPE", "a", "expected a string, found number 123"),))


def test_long_number_is_shown_in_part() -> None:
    (complaint,) = read(b'{"a":' + b"1" * 5000 + b"}", text=("a",)).complaints
    assert complaint.message == f"expected a string, found number {'1' * 40}..."


@pytest.mark.parametrize(
    ("value", "found"),
    [(b"3", "number 3"), (b'"x"', "a string"), (b"true", "true"), (b"[]", "an array")],
)
def test_wrong_type_on_the_way_is_a_fault(value: bytes, found: str) -> None:
    verdict = read(b'{"q":' + value + b"}", "q.a.b")
    assert verdict == Verdict((None,), (("TYPE", "q.a.b", f"expected an object at q, found {found}"),))


@pytest.mark.parametrize(("length", "is_fault"), [(MAX_FIELD_CHARS, False), (MAX_FIELD_CHARS + 1, True)])
@pytest.mark.parametrize("quote", ['"', ""])
def test_field_length_edge(length: int, is_fault: bool, quote: str) -> None:
    verdict = read(f'{{"a":{quote}{"1" * length}{quote}}}'.encode())
    assert [complaint.code for complaint in verdict.complaints] == ["FIELD_TOO_LONG"] * is_fault
    assert verdict.values == (None if is_fault else "1" * length,)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"z":NaN}', "JSON_LITERAL"),
        (b'{"z":[Infinity]}', "JSON_LITERAL"),
        (b'{"a":-Infinity}', "JSON_LITERAL"),
        (b'{"a":nan}', "JSON_SYNTAX"),
        (b'{"a":01}', "JSON_SYNTAX"),
        (b'{"a":+1}', "JSON_SYNTAX"),
        (b'{"a":1.}', "JSON_SYNTAX"),
        (b'{"a":1,}', "JSON_SYNTAX"),
        (b'{"a":"\n"}', "JSON_SYNTAX"),
        (b'{"a":"\\x"}', "JSON_SYNTAX"),
        (b"{'a':1}", "JSON_SYNTAX"),
        (b'{"a":1', "JSON_SYNTAX"),
        (b'{"a":1} {"a":2}', "JSON_SYNTAX"),
        (b"", "JSON_SYNTAX"),
        (b'{"z":"\xff"}', "ENCODING"),
        (b'{"z\xc0\x80":1}', "ENCODING"),
        (b'{"z":"\xed\xa0\x80"}', "ENCODING"),
        (b'{"z":"\\uD800"}', "ENCODING"),
        (b'{"z":"\\ude00\\ud83d"}', "ENCODING"),
        (b'{"z":"\\\\\\udc00"}', "ENCODING"),
        (b'{"a":1,"a":1}', "JSON_DUPLICATE_KEY"),
        (b'{"a":1,"\\u0061":1}', "JSON_DUPLICATE_KEY"),
        (b"[]", "JSON_SHAPE"),
        (b'"a"', "JSON_SHAPE"),
        (b"1", "JSON_SHAPE"),
        (b"null", "JSON_SHAPE"),
    ],
)
def test_broken_record_says_why(raw: bytes, code: str) -> None:
    verdict = read(raw)
    assert verdict.values is None
    assert [(complaint.code, complaint.field) for complaint in verdict.complaints] == [(code, "")]
    assert verdict.complaints[0].message


def test_key_given_twice_matters_where_a_path_looks_it_up() -> None:
    assert read(b'{"z":1,"z":2,"y":{"a":1,"a":2},"a":3}') == Verdict(("3",), ())
    assert read(b'{"q":{"a":1,"a":2}}', "q.a").values is None
    assert read(b'{"q":{"a":1},"q":{}}', "q.a").values is None


@pytest.mark.parametrize(
    ("levels", "is_broken"), [(MAX_DEPTH - 1, False), (MAX_DEPTH, True), (100_000, True)]
)
def test_depth_edge(levels: int, is_broken: bool) -> None:
    verdict = read(b'{"z":' + b"[" * levels + b"]" * levels + b',"a":"[[[["}')
    assert [complaint.code for complaint in verdict.complaints] == ["DEPTH"] * is_broken


def test_brackets_in_strings_have_no_depth() -> None:
    assert nesting_depth(b'{"a":"' + b'[\\"{' * 100 + b'"}') == 1
    assert nesting_depth(b'{"a":"]]]","b":' + b"[" * 70 + b"]" * 70 + b"}") == 71


@pytest.mark.parametrize(("size", "is_broken"), [(MAX_RECORD_BYTES, False), (MAX_RECORD_BYTES + 1, True)])
def test_record_size_edge(size: int, is_broken: bool) -> None:
    raw = b'{"z":"' + b"x" * (size - 8) + b'"}'
    assert len(raw) == size
    assert [complaint.code for complaint in read(raw).complaints] == ["SIZE"] * is_broken


def test_unwrap_takes_the_fields_out_of_an_object() -> None:
    assert read(b'{"quote":{"a":1},"a":2}', unwrap="quote").values == ("1",)
    assert read(b'{"a":2}', unwrap="quote").values == ("2",)


@pytest.mark.parametrize(("value", "found"), [(b"null", "null"), (b"5", "number 5"), (b"[]", "an array")])
def test_unwrapping_something_else_is_a_fault(value: bytes, found: str) -> None:
    verdict = read(b'{"quote":' + value + b',"a":2}', "a", "b", unwrap="quote")
    assert verdict == Verdict((None, None), (("TYPE", "quote", f"expected an object, found {found}"),))


def test_unwrapped_key_given_twice_breaks_the_record() -> None:
    verdict = read(b'{"quote":{"a":1},"quote":{"a":2}}', unwrap="quote")
    assert verdict.complaints[0].code == "JSON_DUPLICATE_KEY"


def test_excerpt_is_inert_and_short() -> None:
    excerpt = inert_excerpt("\x1b[31m\u202e\x9b\r\n".encode() + b"\xff" + b"a" * 500)
    assert excerpt.isascii()
    assert excerpt.isprintable()
    assert len(excerpt) < 300
