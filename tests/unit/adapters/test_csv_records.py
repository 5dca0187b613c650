"""The CSV reader: each rule of form passes, fails, and sits on its edge."""

from __future__ import annotations

import pytest

from dataspine.adapters.csv_lines import line_blocks
from dataspine.adapters.csv_records import read_csv_chunks, read_csv_record
from dataspine.errors import ConfigError, PayloadError
from dataspine.schemas.payload import BLOCK_BYTES, MAX_COLUMNS, MAX_FIELD_CHARS, MAX_RECORD_BYTES, RawChunk
from dataspine.schemas.source import CsvShape

ABC = ("a", "b", "c")


def read(text: bytes, paths=ABC, *, block_bytes: int = 1 << 22, chunk_records: int = 1000, **settings):
    """All chunks of a text; `optional` goes to the reader, other settings to the shape."""
    optional = settings.pop("optional", frozenset())
    blocks = [text[start : start + block_bytes] for start in range(0, len(text), block_bytes)]
    shape = CsvShape(**settings)
    sizes = {"block_bytes": block_bytes, "chunk_records": chunk_records}
    return list(read_csv_chunks(blocks, shape, paths, optional=optional, **sizes))


def read_one(text: bytes, paths=ABC, **settings) -> RawChunk:
    """The only chunk of a text."""
    (chunk,) = read(text, paths, **settings)
    return chunk


def codes(chunk: RawChunk) -> list[tuple[int, str]]:
    """Position and code of each fault."""
    return [(fault.position, fault.code) for fault in chunk.faults]


def rows(chunk: RawChunk) -> list[tuple]:
    return chunk.frame.rows()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_is_read(end):
    chunk = read_one(end.join([b"a,b,c", b"1,2,3", b"4,5,6", b""]))
    assert rows(chunk) == [(1, "1", "2", "3"), (2, "4", "5", "6")]
    assert chunk.raw([2, 1]) == [b"4,5,6", b"1,2,3"]


def test_line_ends_may_be_mixed_and_the_last_may_be_missing():
    chunk = read_one(b"a,b,c\r1,2,3\r\n4,5,6\n7,8,9")
    assert rows(chunk) == [(1, "1", "2", "3"), (2, "4", "5", "6"), (3, "7", "8", "9")]


@pytest.mark.parametrize("quoted", [b"", b'"x",y,z\n'])
def test_blank_lines_are_counted_and_take_no_position(quoted):
    chunk = read_one(b"\n \na,b,c\n\n1,2,3\n \t \n" + quoted + b"\r\n4,5,6\n")
    assert chunk.skipped == {"blank": 5}
    assert rows(chunk)[0] == (1, "1", "2", "3")
    assert rows(chunk)[-1][0] == chunk.records


def test_blank_lines_of_a_single_column_are_no_records():
    chunk = read_one(b'a\n1\n\n""\n \n2\n', ["a"])
    assert rows(chunk) == [(1, "1"), (2, None), (3, "2")]
    assert chunk.skipped == {"blank": 2}


def test_a_line_of_tab_delimiters_is_a_record_of_absent_values():
    chunk = read_one(b"a\tb\tc\n\t\t\n", delimiter="\t")
    assert rows(chunk) == [(1, None, None, None)]
    assert chunk.skipped == {}


def test_columns_come_in_the_order_asked_for_and_empty_is_null():
    chunk = read_one(b'a,x,b\n1,9,\n2,9,""\n', ["b", "a"])
    assert chunk.frame.columns == ["position", "b", "a"]
    assert rows(chunk) == [(1, None, "1"), (2, None, "2")]


@pytest.mark.parametrize("quoted", [b"", b'"x",y,z\n'])
def test_records_are_counted_even_if_no_column_is_asked_for(quoted):
    chunk = read_one(b"a,b,c\n1,2,3\n" + quoted, [])
    assert chunk.frame.columns == ["position"]
    assert chunk.records == 1 + bool(quoted)


def test_fields_are_not_trimmed():
    assert rows(read_one(b'a,b,c\n 1 ,\t2," 3 "\n')) == [(1, " 1 ", "\t2", " 3 ")]


def test_header_names_lose_blanks_and_quotes():
    chunk = read_one(b' a ,"b", "c" \n1,2,3\n')
    assert rows(chunk) == [(1, "1", "2", "3")]
    assert chunk.context == {"header": ' a ,"b", "c" '}


def test_a_missing_needed_column_is_named_inertly():
    with pytest.raises(PayloadError) as caught:
        read(b"a,\x1b[31mb,x\n1,2,3\n")
    assert caught.value.code == "HEADER_MISSING"
    assert "\x1b" not in str(caught.value)
    assert "a, \u241b[31mb, x" in str(caught.value)


def test_data_in_the_header_line_is_a_missing_header():
    with pytest.raises(PayloadError, match="got 1, 2, 3"):
        read(b"1,2,3\n4,5,6\n")


def test_an_optional_column_may_be_missing():
    chunk = read_one(b"a,b\n1,2\n", optional=frozenset({"c"}))
    assert rows(chunk) == [(1, "1", "2", None)]


def test_a_needed_column_twice_is_refused_and_an_unneeded_one_is_not():
    with pytest.raises(PayloadError) as caught:
        read(b"a,b,c,a\n1,2,3,4\n")
    assert caught.value.code == "HEADER_DUPLICATE"
    assert rows(read_one(b"a,x,x\n1,2,3\n", ["a"])) == [(1, "1")]


@pytest.mark.parametrize("quoted", [b"", b'"x",y,z\n'])
def test_a_repeated_header_is_skipped_only_if_exact(quoted):
    chunk = read_one(b"a,b,c\n1,2,3\na,b,c\n" + quoted + b"a,b,C\n")
    assert chunk.skipped == {"repeated_header": 1}
    assert rows(chunk)[-1][1:] == ("a", "b", "C")


@pytest.mark.parametrize("text", [b"", b"\n", b" \r\n\t\n"])
@pytest.mark.parametrize("settings", [{}, {"header": False, "columns": ABC}, {"header_match": "a,"}])
def test_no_text_is_empty(text, settings):
    with pytest.raises(PayloadError) as caught:
        read(text, **settings)
    assert caught.value.code == "EMPTY"


def test_a_header_without_records_is_one_empty_chunk():
    chunk = read_one(b"a,b,c\n\n")
    assert chunk.records == 0
    assert chunk.frame.columns == ["position", *ABC]
    assert chunk.skipped == {"blank": 1}


def test_headerless_columns_come_from_the_shape():
    chunk = read_one(b"1,2,3\n", header=False, columns=ABC)
    assert rows(chunk) == [(1, "1", "2", "3")]
    assert chunk.context == {"header": ""}


def test_the_preamble_ends_where_the_header_matches():
    chunk = read_one(b'Account "7\n\nfoo,a,b\na,b,c\n1,2,3\n', header_match="a,b", block_bytes=3)
    assert chunk.skipped == {"preamble": 3}
    assert rows(chunk) == [(1, "1", "2", "3")]


def test_a_header_that_never_comes_is_missing():
    with pytest.raises(PayloadError) as caught:
        read(b"x\na,c\n", header_match="a,b")
    assert caught.value.code == "HEADER_MISSING"


def test_footer_is_everything_from_the_first_match():
    text = b"a,b,c\n1,2,3\nTotal,1\n\n7,8,9\nTotal"
    for block_bytes in (1, 9, 4096):
        chunk = read_one(text, stop_at=("Total",), block_bytes=block_bytes)
        assert rows(chunk) == [(1, "1", "2", "3")]
        assert chunk.skipped == {"footer": 4}


def test_comment_lines_are_skipped_before_and_after_the_header():
    chunk = read_one(b'# "x\na,b,c\n#\n1,2,3\n4,#,6\n', skip_lines=("#",))
    assert chunk.skipped == {"skip_lines": 2}
    assert chunk.frame["b"].to_list() == ["2", "#"]


def test_prefixes_match_only_where_a_record_starts():
    text = b'a,b,c\n1,2,"x\nTotal\n#\na,b,c\n\n"\n4,5,6\n'
    chunk = read_one(text, stop_at=("Total",), skip_lines=("#",))
    assert rows(chunk) == [(1, "1", "2", "x\nTotal\n#\na,b,c\n\n"), (2, "4", "5", "6")]
    assert chunk.skipped == {}


@pytest.mark.parametrize("line", [b"1,2", b"1,2,3,4", b"1", b"1,2,3,", b'1,"2"', b'"1,2",3,4,"5"'])
def test_a_ragged_row_is_broken_alone(line):
    chunk = read_one(b"a,b,c\n1,2,3\n" + line + b"\n4,5,6\n")
    assert codes(chunk) == [(2, "RAGGED_ROW")]
    assert chunk.broken == {2}
    assert chunk.frame["position"].to_list() == [1, 3]
    assert chunk.raw([2]) == [line]


def test_ragged_rows_that_add_up_are_both_seen():
    chunk = read_one(b"a,b,c\n1,2\n1,2,3,4\n")
    assert [fault.message for fault in chunk.faults] == [
        "expected 3 fields, found 2",
        "expected 3 fields, found 4",
    ]


def test_quoted_fields_keep_delimiters_quotes_and_newlines():
    chunk = read_one(b'a,b,c\n"1,1","say ""hi""","x\r\ny\rz\n"\n')
    assert rows(chunk) == [(1, "1,1", 'say "hi"', "x\r\ny\rz\n")]
    assert chunk.raw([1]) == [b'"1,1","say ""hi""","x\r\ny\rz\n"']


@pytest.mark.parametrize("block_bytes", [1, 8, 4096])
def test_an_unclosed_quote_costs_its_own_line_only(block_bytes):
    text = b'a,b,c\n1,"2,3\n4,5,6\n7,"8\n8",9\n'
    chunk = read_one(text, block_bytes=block_bytes)
    assert codes(chunk) == [(1, "CSV_QUOTE")]
    assert rows(chunk) == [(2, "4", "5", "6"), (3, "7", "8\n8", "9")]


def test_a_record_spans_a_hundred_lines_and_no_more():
    whole = b'1,2,"' + b"\n" * 99 + b'"\n'
    chunk = read_one(b"a,b,c\n" + whole + b"4,5,6\n")
    assert rows(chunk) == [(1, "1", "2", "\n" * 99), (2, "4", "5", "6")]
    chunk = read_one(b"a,b,c\n" + whole.replace(b"\n", b"\n\n", 1) + b"4,5,6\n")
    assert codes(chunk) == [(1, "CSV_QUOTE"), (2, "CSV_QUOTE")]
    assert chunk.skipped == {"blank": 99}


def test_text_around_quotes_is_refused_and_quotes_inside_text_are_text():
    chunk = read_one(b'a,b,c\n"1"x,2,3\n4,5" x 6",7\n8,9," ""\n')
    assert codes(chunk) == [(1, "CSV_QUOTE"), (3, "CSV_QUOTE")]
    assert rows(chunk) == [(2, "4", '5" x 6"', "7")]


def test_without_a_quoting_character_quotes_are_text():
    chunk = read_one(b'a,b,c\n1,"2,3\n', quote="")
    assert rows(chunk) == [(1, "1", '"2', "3")]


@pytest.mark.parametrize("quoted", [b"4,5,6\n", b'"4",5,6\n', '4,5,"\ufffd"\n'.encode()])
def test_bad_utf8_breaks_its_record_only(quoted):
    chunk = read_one(b"a,b,c\n1,2,\xe9\n" + quoted + b'7,"\n\xff",9\n')
    assert codes(chunk) == [(1, "ENCODING"), (3, "ENCODING")]
    assert chunk.frame["position"].to_list() == [2]
    assert chunk.raw([1, 3]) == [b"1,2,\xe9", b'7,"\n\xff",9']


@pytest.mark.parametrize("control", [b"\x00", b"\x01", b"\x0b", b"\x1e", b"\x1f"])
@pytest.mark.parametrize("line", [b"1,%s,3", b'1,"%s",3', b'1,"\n%s",3'])
def test_a_control_character_breaks_its_record_only(control, line):
    chunk = read_one(b"a,b,c\n" + line.replace(b"%s", control) + b"\n4,5,6\n")
    assert codes(chunk) == [(1, "CONTROL_CHARACTER")]
    assert rows(chunk) == [(2, "4", "5", "6")]


@pytest.mark.parametrize("delimiter", ["\x01", "\x1e", "\x1f", "|", ";", " ", "\t", "]", "^"])
def test_any_single_byte_delimits(delimiter):
    text = b'a,b,c\n1,"2,\n2",3\n4,5,6\n'.replace(b",", delimiter.encode())
    expected = [(1, "1", f"2{delimiter}\n2", "3"), (2, "4", "5", "6")]
    assert rows(read_one(text, delimiter=delimiter)) == expected


@pytest.mark.parametrize(
    "settings", [{"delimiter": mark} for mark in '¦"\n0x'] + [{"quote": mark} for mark in "“,\n\x01 0"]
)
def test_impossible_marks_are_a_config_error(settings):
    with pytest.raises(ConfigError):
        read(b"a,b,c\n", **settings)


def test_a_mapped_column_named_position_is_a_config_error():
    with pytest.raises(ConfigError):
        read(b"position\n1\n", ["position"])


@pytest.mark.parametrize("quote", [b"", b'"'])
@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_needed_field_has_a_limit_in_characters(quote, letter):
    at_limit = (letter * MAX_FIELD_CHARS).encode()
    over = (letter * (MAX_FIELD_CHARS + 1)).encode()
    text = b"a,b,c\n1,2,%s\n1,%s,%s\n%s,2,3\n" % (at_limit, over, over, over)
    chunk = read_one(text.replace(b"1", quote + b"1" + quote), ["b", "c"])
    assert [(fault.position, fault.field) for fault in chunk.faults] == [(2, "b"), (2, "c")]
    assert {fault.code for fault in chunk.faults} == {"FIELD_TOO_LONG"}
    assert chunk.frame["position"].to_list() == [1, 3]


@pytest.mark.parametrize("block_bytes", [100_000, 1 << 20, 1 << 25])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_record_has_a_limit_in_bytes(block_bytes, line_end):
    fits = b"1,2," + b"x" * (MAX_RECORD_BYTES - 5)
    texts = [b"a,b,c", fits, fits + b"x", b'4,"' + b'"' * 6_000_000 + b'"', b"7,8,9"]
    chunk = read_one(line_end.join(texts), ["a"], block_bytes=block_bytes)
    assert codes(chunk) == [(2, "SIZE"), (3, "SIZE")]
    assert rows(chunk) == [(1, "1"), (4, "7")]
    assert [len(raw) for raw in chunk.raw([1, 2, 3])] == [len(fits), MAX_RECORD_BYTES, MAX_RECORD_BYTES]


def test_an_endless_line_is_not_held():
    blocks = (b"x" * 65536 for _ in range(1024))
    sizes = [len(text) for text, _ in line_blocks(blocks, block_bytes=BLOCK_BYTES)]
    assert sizes == [MAX_RECORD_BYTES]


def test_columns_have_a_limit():
    names = [f"c{index}" for index in range(MAX_COLUMNS)]
    text = ",".join(names) + "\n" + ",".join(["1"] * MAX_COLUMNS) + "\n"
    quoted = ",".join(['"2"'] * MAX_COLUMNS) + "\n"
    chunk = read_one((text + quoted).encode(), ["c0", names[-1]])
    assert rows(chunk) == [(1, "1", "1"), (2, "2", "2")]
    with pytest.raises(PayloadError) as caught:
        read(text.replace("\n", ",x\n").encode(), ["c0"])
    assert caught.value.code == "SIZE"


@pytest.mark.parametrize("line", [b"x^,2,3", b"x\x01,2,3", "\ufeff1,2,3".encode(), "é,\u2028,\x85".encode()])
def test_first_bytes_of_the_records_are_only_text(line):
    chunk = read_one(line + b"\n4,5,6\n", header=False, columns=ABC, delimiter=",")
    raw = chunk.raw([1])
    assert raw == [line]
    if b"\x01" not in line:
        assert rows(chunk)[0] == (1, *line.decode().split(","))


def test_chunks_are_cut_at_the_record_and_carry_their_own_raw():
    text = b'a,b,c\n1,2,3\n\n4,5\n"7\n",8,9\n10,11,12\n#\n13,14,15\n'
    chunks = read(text, chunk_records=2, block_bytes=5, skip_lines=("#",))
    assert [chunk.records for chunk in chunks] == [2, 2, 1]
    assert [sorted(chunk.broken) for chunk in chunks] == [[2], [], []]
    assert [chunk.skipped for chunk in chunks] == [{}, {}, {"blank": 1, "skip_lines": 1}]
    assert chunks[1].raw([4, 3]) == [b"10,11,12", b'"7\n",8,9']


BROKEN_LINES = [
    b"1,2",
    b'1,"2,3',
    b"1,\xe9,3",
    b'1,"\x00\n",3',
    b"1,2," + b"x" * (MAX_FIELD_CHARS + 1),
    b"1,2," + b"\xff" * MAX_RECORD_BYTES,
]


@pytest.mark.parametrize("line", BROKEN_LINES, ids=range(len(BROKEN_LINES)))
def test_a_dead_record_gets_its_verdict_again(line):
    chunk = read_one(b"a,b,c\n" + line + b"\n4,5,6\n")
    (raw,) = chunk.raw([1])
    again = read_csv_record(raw, CsvShape(), ABC, header=chunk.context["header"])
    assert list(again.faults) == list(chunk.faults)
    assert again.broken == {1}
    assert again.frame.height == 0
    assert again.raw([1]) == [raw]


@pytest.mark.parametrize("line", [b"1,,3", b'1,"",3', b'"1\r\n,""",2,3', "é,\ufffd,x^".encode(), b",,"])
def test_a_whole_record_reads_alone_as_in_its_file(line):
    chunk = read_one(b"a,b,c\n" + line + b"\n")
    again = read_csv_record(chunk.raw([1])[0], CsvShape(), ABC, header=chunk.context["header"])
    assert again.frame.equals(chunk.frame)
    assert not again.faults


def test_an_edited_record_may_end_with_a_line_end_but_not_hold_two_records():
    again = read_csv_record(b"1,2,3\r\n", CsvShape(header=False, columns=ABC), ABC, header="")
    assert rows(again) == [(1, "1", "2", "3")]
    again = read_csv_record(b"1,2,3\n4,5,6", CsvShape(), ABC, header="a,b,c")
    assert codes(again) == [(1, "CSV_QUOTE")]
    again = read_csv_record(b"1,2,3\n4", CsvShape(quote=""), ABC, header="a,b,c")
    assert codes(again) == [(1, "CSV_QUOTE")]
