"""What commands print: documents, tables of 80 columns, lines."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from dataspine.cli.output import count, emit, emit_line, narrate, narrate_error, say, say_line, table
from dataspine.errors import BusyError, RequestError


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_document_is_json_of_exact_values(capsys: pytest.CaptureFixture[str]) -> None:
    local = datetime(2026, 1, 9, 9, 30, tzinfo=timezone(timedelta(hours=-5)))
    document = {
        "price": Decimal("1E+3"),
        "at": local,
        "file": Path("a/b"),
        "nothing": None,
        "word": "\x1b\u202e\x7f",
    }
    emit(True, document, lambda: pytest.fail("rendered"))
    text = printed(capsys)
    assert text.isascii()
    assert json.loads(text) == {
        "price": "1000",
        "at": "2026-01-09T14:30:00Z",
        "file": "a/b",
        "nothing": None,
        "word": "\x1b\u202e\x7f",
    }
    assert "\x1b" not in text
    assert "\x7f" not in text


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_value_without_a_place_in_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no place in a document"):
        emit(True, {"value": value}, lambda: None)


def test_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        emit(True, {"value": float("nan")}, lambda: None)


def test_people_get_the_rendering(capsys: pytest.CaptureFixture[str]) -> None:
    emit(False, {"a": 1}, lambda: say("for people"))
    assert printed(capsys) == "for people\n"


def test_emitted_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    emit_line({"text": "two\nlines", "at": datetime(2026, 1, 9, tzinfo=UTC)})
    assert printed(capsys) == '{"text": "two\\nlines", "at": "2026-01-09T00:00:00Z"}\n'


def test_table_aligns_numbers_and_blanks_none(capsys: pytest.CaptureFixture[str]) -> None:
    table("Sources", ["source", "rows"], [("iex", count(1_000)), ("desk", 7), ("none", None)])
    assert [line.rstrip() for line in printed(capsys).splitlines()] == [
        "Sources",
        "source   rows",
        "─────────────",
        "iex     1,000",
        "desk        7",
        "none",
    ]


def test_table_fits_80_columns_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    words = "Q" * 300
    table("wide", ["id", "text", "more"], [(1, words, "W" * 100), (22, "short", "z")])
    lines = printed(capsys).splitlines()
    assert max(map(len, lines)) <= 80
    assert "".join(lines).count("Q") == 300
    assert "".join(lines).count("W") == 100


def test_instants_are_never_folded(capsys: pytest.CaptureFixture[str]) -> None:
    table("Runs", ["at", "text"], [(datetime(2026, 1, 9, tzinfo=UTC), "word " * 60)])
    assert "2026-01-09T00:00:00Z" in printed(capsys)


@pytest.mark.parametrize(
    "text", ["[bold]x[/bold]", "[link=http://a]x[/link]", ":smile:", "http://a.example/1"]
)
def test_markup_is_text(capsys: pytest.CaptureFixture[str], text: str) -> None:
    table(text, [text], [[text]])
    say(text)
    assert printed(capsys).count(text) == 4


@pytest.mark.parametrize("show", [say, say_line, narrate, lambda text: table(text, [text], [[text]])])
def test_controls_become_visible(capsys: pytest.CaptureFixture[str], show: object) -> None:
    show("a\x1b]0;x\x07b\u202e\x9bc")  # type: ignore[operator]
    shown = "".join(capsys.readouterr())
    assert not {"\x1b", "\x07", "\u202e", "\x9b"}.intersection(shown)
    assert "␛]0;x␇" in shown


def test_line_feeds_fold_a_cell_never(capsys: pytest.CaptureFixture[str]) -> None:
    table("One row", ["text"], [("a\nb",)])
    assert len(printed(capsys).splitlines()) == 4


def test_error_is_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    narrate_error(RequestError("no such thing", found="a\nb", where="here", cure="Look\nthere"))
    assert capsys.readouterr().err == "error: no such thing, got a␊b (here)\n       Look␊there\n"
    narrate_error(BusyError("somebody writes"))
    assert capsys.readouterr().err == "error: somebody writes\n       Try again.\n"


def test_terminal_width_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    table("Wide", ["text"], [("x" * 110,)])
    assert "x" * 110 in terminal.getvalue()
