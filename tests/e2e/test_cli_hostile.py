"""Vendor text never acts: escape sequences, markup and reordering marks through every command's output for people."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.command_line import (
    PROGRAM,
    ROOT,
    STYLING,
    TIMEOUT_S,
    acting_characters,
    dataspine,
    document,
    environment,
)

if TYPE_CHECKING:
    from pathlib import Path

TITLE, CLEAR, LINK = "\x1b]0;owned\x07", "\x1b[2J", "\x1b]8;;http://evil.example\x1b\\"
REORDER, HIDDEN, C1 = "\u202e", "\u200b", "\x9b31m"
MARKUP = "[red]boom[/red][link=http://evil.example]x[/link]"
HOSTILE = (TITLE, CLEAR, LINK, REORDER, HIDDEN, C1, MARKUP, "\r", "\u2028")
NAME = f"trades{CLEAR}{REORDER}[bold]x.ndjson"
CONFIG = """
[sources.trades]
kind = "trade"
format = "ndjson"
path = "drop/*.ndjson"
[sources.trades.contract]
max_reject_ratio = 1.0
[sources.trades.fields]
trade_id = { column = "id" }
client_id = { column = "client" }
symbol = { column = "symbol" }
side = { column = "side" }
quantity = { column = "quantity" }
price = { column = "price" }
timestamp = { column = "at", format = "iso" }
venue = { column = "venue" }
"""
GOOD = {
    "id": "T1",
    "client": "C1",
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": "1",
    "price": "10",
    "at": "2026-01-09T14:30:00Z",
    "venue": "XNAS",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace full of what a hostile vendor sent, under a hostile file name."""
    home = tmp_path_factory.mktemp("hostile") / "home"
    (home / "drop").mkdir(parents=True)
    (home / "dataspine.toml").write_text(CONFIG)
    lines = [json.dumps({**GOOD, "id": f"[red]T{number}[/red]"}) for number in range(2)]
    lines += [json.dumps({**GOOD, field: GOOD[field] + text}) for field in GOOD for text in HOSTILE]
    lines += [f'{{"id": "{text}", broken'.replace("\r", "").replace("\u2028", "") for text in HOSTILE[:6]]
    (home / "drop" / NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = document(dataspine("ingest", "trades", "--json", home=home), code=1)
    assert found["runs"][0]["inserted"] >= 2
    assert found["runs"][0]["rejected"] > 50
    return home


COMMANDS = (
    ("ingest", "trades"),
    ("run", "--dry-run"),
    ("run", "--mode", "live", "--once"),
    ("sources", "list"),
    ("sources", "show", "trades"),
    ("sources", "check", "trades"),
    ("dlq", "list"),
    ("dlq", "list", "--groups"),
    ("dlq", "show", "1"),
    ("dlq", "show", "20"),
    ("dlq", "retry", "1", "--dry-run"),
    ("audit", "list"),
    ("audit", "follow", "--after", "0", "--limit", "2"),
    ("audit", "verify"),
    ("account",),
    ("account", "--deep"),
    ("status",),
    ("doctor",),
    ("records", "show", "--source", "trades"),
    ("ingest", "nope\x1b[2J\u202e"),
    ("ingest", "--file", "gone\x1b[2J.csv", "--preset", "generic_bars"),
    ("sources", "check", "nope\x1b]0;x\x07"),
    ("dlq\x1b[2J",),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: ascii(" ".join(arguments)))
def test_output_for_people_holds_nothing_that_acts(home: Path, arguments: tuple[str, ...]) -> None:
    finished = dataspine(*arguments, home=home)
    assert finished.returncode in (0, 1, 2, 4), finished.stderr
    assert finished.stdout + finished.stderr
    assert acting_characters(finished.stdout + finished.stderr) == set()


@pytest.mark.parametrize("arguments", COMMANDS[:6], ids=lambda arguments: ascii(" ".join(arguments)))
def test_terminal_gets_styling_and_nothing_else(home: Path, arguments: tuple[str, ...]) -> None:
    """On a terminal Rich writes its own styles; with those taken out, nothing that acts may be left."""
    shown = on_a_terminal("--home", str(home), *arguments)
    assert shown
    assert acting_characters(STYLING.sub("", shown).replace("\r\n", "\n")) == set()


def test_markup_is_shown_as_it_is(home: Path) -> None:
    shown = dataspine("dlq", "list", "--code", "TEXT_FORMAT", home=home).stdout
    checked = dataspine("sources", "check", "trades", home=home).stdout
    assert "[red]T0[/red]" in checked
    assert "[2J" in shown


def test_documents_escape_what_acts(home: Path) -> None:
    for arguments in (
        ("dlq", "list"),
        ("sources", "check", "trades"),
        ("audit", "list"),
        ("run", "--dry-run"),
    ):
        finished = dataspine(*arguments, "--json", home=home)
        assert finished.stdout.isascii()
        assert acting_characters(finished.stdout) == set()
        assert json.loads(finished.stdout)


def on_a_terminal(*arguments: str) -> str:
    """What the command writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env={**environment(), "TERM": "xterm-256color", "COLUMNS": "80"},
    )
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 65_536):
            shown += block
    except OSError:
        pass  # Linux reports the far end's closing as an input/output error.
    os.close(ours)
    process.wait(timeout=TIMEOUT_S)
    return shown.decode()
