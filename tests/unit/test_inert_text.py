"""Inert text: nothing of it acts, hides, reorders or runs, and honest text stays as it is."""

from __future__ import annotations

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspine.inert_text import (
    CUT,
    FORMULA_PATTERN,
    LIMIT_CHARS,
    csv_safe_cell,
    inert_bytes,
    inert_text,
)

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=60)


@pytest.mark.parametrize(
    "text",
    ["", "AAPL", "price 12.50", "Zürich £5 — naïve", "日本語", "[/bold] {x}", "\\u202e", "é" * LIMIT_CHARS],
)
def test_honest_text_stays(text):
    assert inert_text(text) == text


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", "␛[2J"),
        ("a\x00b", "a␀b"),
        ("a\rb\nc\td", "a␍b␊c␉d"),
        ("\x7f", "␡"),
        ("\x9b31m", "\\u009b31m"),
        ("\u202eLPAA", "\\u202eLPAA"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("a\u200bb\u200dc", "a\\u200bb\\u200dc"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ufeffAAPL", "\\ufeffAAPL"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("a\u00a0b", "a\\u00a0b"),
        ("\u3164", "\\u3164"),
        ("x\ufe0f", "x\\ufe0f"),
        ("\ue000", "\\ue000"),
    ],
)
def test_hostile_character_is_made_visible(hostile, shown):
    assert inert_text(hostile) == shown


def test_line_feeds_pass_only_where_asked_for():
    assert inert_text("a\nb\rc", multiline=True) == "a\nb␍c"


def test_marks_up_to_the_limit_stay_and_one_more_is_cut():
    assert inert_text("e" + "\u0301" * 3) == "e" + "\u0301" * 3
    assert inert_text("e" + "\u0301" * 4) == "e" + "\u0301" * 3 + CUT
    assert inert_text("e" + "\u0301" * 900 + "x") == "e" + "\u0301" * 3 + CUT + "x"


@pytest.mark.parametrize(("length", "shown"), [(9, "a" * 9), (10, "a" * 10), (11, "a" * 9 + CUT)])
def test_length_edge(length, shown):
    assert inert_text("a" * length, limit=10) == shown


def test_cut_never_halves_an_escape():
    assert inert_text("\u202e" * 3, limit=13) == "\\u202e\\u202e" + CUT
    assert inert_text("\u202e" * 3, limit=12) == "\\u202e" + CUT
    assert inert_text("x" * 3, limit=0) == ""


def test_bytes_show_what_is_not_utf8():
    assert inert_bytes(b"A\xff\xc3\xa9\x1b") == "A\\xff\u00e9␛"


def test_bytes_longer_than_the_limit_are_cut_without_reading_them_all():
    assert inert_bytes("é".encode() * 100, limit=10) == "é" * 9 + CUT
    assert inert_bytes("😀".encode() * 11, limit=10) == "😀" * 9 + CUT
    assert inert_bytes("😀".encode() * 10, limit=10) == "😀" * 10


@given(ANYTHING, st.booleans(), st.integers(0, 40))
def test_nothing_hostile_is_left(text, multiline, limit):
    shown = inert_text(text, multiline=multiline, limit=limit)
    allowed = {"\n"} if multiline else set()
    assert all(char.isprintable() for char in set(shown) - allowed)
    assert len(shown) <= limit
    assert not re.search("[\u0300-\u036f]{4}", shown)
    shown.encode("utf-8")


@given(st.binary(max_size=60))
def test_any_bytes_can_be_shown(raw):
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs") for char in inert_bytes(raw))


@pytest.mark.parametrize(
    "text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x", "'=1", "-1.5x"]
)
def test_formula_is_set_off(text):
    assert csv_safe_cell(text) == "'" + text


@pytest.mark.parametrize("text", ["", "AAPL", "-1.5", "+2", "-1e-7", "1.5", "O'Brien", "'quoted'", "a=b"])
def test_plain_cell_stays(text):
    assert csv_safe_cell(text) == text


@given(ANYTHING)
def test_cell_can_be_read_back_through_csv(text):
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow([csv_safe_cell(text), "end"])
    cell = next(csv.reader(io.StringIO(buffer.getvalue(), newline="")))[0]
    is_set_off = cell.startswith("'") and re.search(FORMULA_PATTERN, cell)
    assert (cell[1:] if is_set_off else cell) == text
