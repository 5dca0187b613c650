"""`dataspine dlq` in real processes: the story of a letter, two operators at once, and every way to mistype."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from dataspine.service.letters import Selection, selected
from tests.builders import ingest_bytes, ingest_trades, make_desk, make_spine, trade, trade_profile
from tests.e2e.command_line import PROGRAM, ROOT, dataspine, document, environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace with a stored trade and letters 1 to 3."""
    with (spine := make_spine(tmp_path)).workspace as workspace:
        bad = [trade(f"T{number}", side="HOLD") for number in range(1, 4)]
        ingest_trades(spine, [trade("T0"), *bad])
        return workspace.home


def _pair(home: Path, *arguments: str) -> list[subprocess.CompletedProcess[str]]:
    """Two processes with one command line, at once."""
    command = [*PROGRAM, "--home", str(home), *arguments]
    pipe = subprocess.PIPE
    both = [
        subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT, env=environment())
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in both]
    return [
        subprocess.CompletedProcess(command, process.returncode, *output)
        for process, output in zip(both, outputs, strict=True)
    ]


def test_the_story_of_a_letter(home: Path, tmp_path: Path) -> None:
    listed = document(dataspine("dlq", "list", "--json", "--limit", "2", home=home))
    assert ([letter["id"] for letter in listed["dead_letters"]], listed["next"]) == ([1, 2], 2)
    (reason,) = listed["dead_letters"][0]["reasons"]
    assert (reason["code"], reason["field"]) == ("SIDE_VALUE", "side")
    raw = dataspine("dlq", "show", "1", "--raw", home=home).stdout
    assert raw == "T1,C1,AAPL,HOLD,100,187.25,2026-01-09T13:00:00Z,XNAS,,"
    (fixed := tmp_path / "fixed.csv").write_text(raw.replace("HOLD", "SELL"), encoding="ascii")
    edited = document(dataspine("dlq", "edit", "1", "--file", str(fixed), "--json", home=home))
    assert (edited["pass"], edited["verdicts"][0]["key"]) == (1, "C1 T1")
    rehearsed = document(dataspine("dlq", "retry", "1", "2", "--dry-run", "--json", home=home), code=1)
    assert (rehearsed["letters"], rehearsed["pass"], rehearsed["fail"]) == (2, 1, 1)
    assert document(dataspine("dlq", "list", "--json", home=home))["dead_letters"][0]["state"] == "open"
    retried = document(dataspine("dlq", "retry", "--code", "SIDE_VALUE", "--json", home=home), code=1)
    assert [(verdict["id"], verdict["passes"]) for verdict in retried["verdicts"]] == [
        (1, True),
        (2, False),
        (3, False),
    ]
    shown = document(dataspine("dlq", "show", "1", "--json", home=home))
    assert (shown["state"], shown["raw"], shown["edited"]) == ("resolved", raw, fixed.read_text())
    assert shown["resolved_key"] == "C1 T1"
    again = dataspine("dlq", "retry", "1", home=home)
    assert again.returncode == 3
    assert "only an open letter can be tried, got resolved (dead letter 1)" in again.stderr
    assert document(dataspine("account", "--json", home=home))["balanced"]
    assert document(dataspine("audit", "verify", "--json", home=home))["ok"]


def test_discard_restore_and_export(home: Path, tmp_path: Path) -> None:
    refused = dataspine("dlq", "discard", "1", "--reason", " ", home=home)
    assert refused.returncode == 2
    assert "a reason is required" in refused.stderr
    planned = document(
        dataspine("dlq", "discard", "1", "2", "--reason", "x", "--dry-run", "--json", home=home)
    )
    assert (planned["letters"], planned["changed"]) == (2, 0)
    done = document(dataspine("dlq", "discard", "1", "2", "--reason", "test feed", "--json", home=home))
    assert (done["changed"], done["ids"]) == (2, [1, 2])
    assert document(dataspine("dlq", "restore", "2", "--reason", "real", "--json", home=home))["changed"] == 1
    out = tmp_path / "export"
    exported = document(
        dataspine("dlq", "export", "--source", "trades", "--out", str(out), "--json", home=home)
    )
    assert exported["letters"] == 2
    lines = [json.loads(line) for line in (out / "letters.jsonl").read_text(encoding="ascii").splitlines()]
    assert [(line["id"], line["state"]) for line in lines] == [(2, "open"), (3, "open")]
    assert (out / "2.raw").read_text() == lines[0]["raw"]


@pytest.mark.parametrize(
    "command",
    [["dlq", "retry", "1"], ["dlq", "discard", "1", "--reason", "both want it"]],
    ids=["retry", "discard"],
)
def test_of_two_operators_one_wins(home: Path, command: list[str]) -> None:
    desk = make_desk(spine := make_spine(home.parent))
    with spine.workspace as workspace:
        if command[1] == "retry":
            letter = selected(desk, Selection(letter_ids=(1,)))[0]
            fixed = letter.raw.replace(b"HOLD", b"SELL")
            workspace.database.rows("UPDATE dead_letters SET edited = ? WHERE letter_id = 1", (fixed,))
    codes = {done.returncode: done.stderr for done in _pair(home, *command)}
    assert set(codes) == {0, 3}, codes
    assert "somebody else changed this letter first" in codes[3] or "open" in codes[3]
    with make_spine(home.parent).workspace as workspace:
        (changes,) = workspace.database.rows(
            "SELECT count(*) FROM audit_events WHERE entity_type = 'dead_letter'"
        )
        assert changes == (1,)


def test_an_editor_sees_the_text_in_its_own_encoding(tmp_path: Path) -> None:
    with (spine := make_spine(tmp_path)).workspace as workspace:
        profile = trade_profile(encoding="latin-1")
        row = "T1,C1,AAPL,HOLD,100,187.25,2026-01-09T13:00:00Z,XETR,Börse"
        header = "trade_id,client_id,symbol,side,quantity,price,timestamp,venue,note"
        ingest_bytes(spine, profile, f"{header}\n{row}\n".encode("latin-1"), object_name="trades.csv")
        home = workspace.home
    done = dataspine("dlq", "edit", "1", "--json", home=home, EDITOR="sed -i s/HOLD/SELL/", VISUAL="")
    assert document(done)["pass"] == 1
    with make_spine(tmp_path).workspace as workspace:
        (edited,) = workspace.database.rows("SELECT edited FROM dead_letters")
        assert edited[0] == row.replace("HOLD", "SELL").encode("latin-1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "99"], "there is no such dead letter, got 99"),
        (["show", "9" * 30], "is not in the range"),
        (["retry", "0"], "is not in the range"),
        (["list", "--after", "9" * 30], "is not in the range"),
        (["retry"], "name letters by number"),
        (["retry", "1", "--code", "X"], "name letters by number"),
        (["discard", "1"], "--reason"),
        (["edit", "1", "--file", "nowhere.csv"], "the file cannot be used (No such file or directory)"),
        (["export", "1", "--out", "pyproject.toml"], "the directory exists already"),
        (["export", "1", "--out", "pyproject.toml/x"], "the file cannot be used (Not a directory)"),
    ],
)
def test_a_wrong_request_is_named(home: Path, arguments: list[str], message: str) -> None:
    done = dataspine("dlq", *arguments, home=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())


def test_without_a_workspace_nothing_is_made(tmp_path: Path) -> None:
    done = dataspine("dlq", "list", home=tmp_path / "nowhere")
    assert done.returncode == 5
    assert "there is no database" in done.stderr
    assert not (tmp_path / "nowhere").exists()
