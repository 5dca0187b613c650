"""The CSV reader on generated tables: exact, the same however it is cut, and damage stays where it is."""

from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from dataspine.adapters.csv_records import read_csv_chunks, read_csv_record
from dataspine.schemas.source import CsvShape

NAMES = ("a", "b", "c")
SHAPE = CsvShape()
BLOCK_SIZES = st.sampled_from([1, 7, 64, 4096])
CHUNK_SIZES = st.sampled_from([1, 2, 4, 8, 1024])
CELL = st.text(st.sampled_from('ab1 ,"\n\r\té\u2028\ufeff\ufffd\x85^x'), max_size=6)
TABLE = st.lists(st.tuples(CELL, CELL, CELL), max_size=12)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
# Bytes that hold every trap: quotes, delimiters, line ends, comments, footers, bad UTF-8, control characters.
TRAPS = st.lists(
    st.sampled_from(
        [
            *(
                b"1,2,3",
                b"x",
                b" ",
                b"\t",
                "é".encode(),
                b",",
                b'"',
                b'""',
                b"\n",
                b"\r",
                b"\r\n",
                b"\n4,5,6\n",
            ),
            *(b'"p\nq"', b"#", b"END", b"a,b,c", b"\xff", b"\x00", b"\x1e"),
        ]
    ),
    max_size=40,
).map(b"".join)


def cut(text: bytes, block_bytes: int) -> list[bytes]:
    return [text[start : start + block_bytes] for start in range(0, len(text), block_bytes)]


def read(text: bytes, shape: CsvShape = SHAPE, *, block_bytes: int = 4096, chunk_records: int = 1024):
    """Rows, faults, raw bytes by position, and skipped lines of a text."""
    rows, faults, raws, skipped = [], [], [], {}
    position = 1
    sizes = {"block_bytes": block_bytes, "chunk_records": chunk_records}
    for chunk in read_csv_chunks(cut(text, block_bytes), shape, NAMES, **sizes):
        rows += chunk.frame.rows()
        faults += chunk.faults
        positions = range(position, position + chunk.records)
        assert set(chunk.frame["position"]) | chunk.broken == set(positions)
        raws += chunk.raw(positions)
        position += chunk.records
        skipped |= chunk.skipped
    return rows, faults, raws, skipped


def written(table, line_end: str) -> list[bytes]:
    """The header and each record as `csv.writer` writes it, line ends included."""
    lines = []
    for row in [NAMES, *table]:
        text = io.StringIO(newline="")
        # With this line end the writer of every Python version quotes both `\r` and `\n`.
        csv.writer(text, lineterminator="\r\n").writerow(row)
        lines.append((text.getvalue().removesuffix("\r\n") + line_end).encode())
    return lines


@given(TABLE, LINE_ENDS, BLOCK_SIZES, CHUNK_SIZES)
def test_what_a_csv_writer_wrote_is_read_back_exactly(table, line_end, block_bytes, chunk_records):
    lines = written(table, line_end)
    text = b"".join(lines)
    rows, faults, raws, skipped = read(text, block_bytes=block_bytes, chunk_records=chunk_records)
    expected = [(index, *(cell or None for cell in row)) for index, row in enumerate(table, 1)]
    assert not faults
    assert rows == expected
    assert not skipped
    assert b"".join(raw + line_end.encode() for raw in [lines[0].rstrip(), *raws]) == text


@given(TRAPS, BLOCK_SIZES, CHUNK_SIZES)
@settings(max_examples=300)
def test_the_result_does_not_depend_on_how_the_bytes_are_cut(text, block_bytes, chunk_records):
    shape = CsvShape(skip_lines=("#",), stop_at=("END",))
    text = b"a,b,c\n" + text
    whole = read(text, shape)
    assert read(text, shape, block_bytes=block_bytes, chunk_records=chunk_records) == whole


@given(TRAPS)
def test_every_record_alone_gets_the_verdict_it_had_in_its_file(text):
    rows, faults, raws, _ = read(b"a,b,c\n" + text)
    for position, raw in enumerate(raws, 1):
        alone = read_csv_record(raw, SHAPE, NAMES, header="a,b,c")
        assert [row[1:] for row in alone.frame.rows()] == [row[1:] for row in rows if row[0] == position]
        found = [(fault.code, fault.message) for fault in alone.faults]
        assert found == [(fault.code, fault.message) for fault in faults if fault.position == position]


@given(TRAPS)
def test_records_and_skipped_lines_are_all_lines(text):
    _, _, raws, skipped = read(b"a,b,c\n" + text)
    lines = len(text.splitlines())
    assert sum(len(raw.splitlines()) for raw in raws) + sum(skipped.values()) == lines


PLAIN = st.text(st.sampled_from("ab1 é"), min_size=1, max_size=5)
DAMAGE = st.sampled_from(
    [b'1,"2,3', b'"', b'1,2,3"', b"1,2", b"1,2,3,4", b"\xff,2,3", b"1,\x00,3", b'"1"2,3,4']
)


@given(st.lists(st.tuples(PLAIN, CELL, PLAIN), min_size=1, max_size=8), st.data())
def test_damage_to_one_line_changes_no_other_record(table, data):
    lines = written(table, "\n")
    whole, _, _, _ = read(b"".join(lines))
    place = data.draw(st.integers(0, len(table)))
    damage = data.draw(DAMAGE)
    rows, faults, raws, _ = read(b"".join([*lines[: place + 1], damage + b"\n", *lines[place + 1 :]]))
    assert [fault.position for fault in faults] == [place + 1]
    assert raws[place] == damage
    assert [row[1:] for row in rows] == [row[1:] for row in whole]
