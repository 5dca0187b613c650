"""`dataspine audit` in a real process: pages, filters, the feed, verification, exports."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.command_line import (
    GOOD_ROW,
    PROGRAM,
    ROOT,
    TIMEOUT_S,
    dataspine,
    document,
    environment,
    write_bars,
)

if TYPE_CHECKING:
    from pathlib import Path

RUNS = 4


def ingest(home: Path) -> None:
    file = write_bars(home.parent / "bars.csv", GOOD_ROW)
    assert dataspine("ingest", "--file", file, "--preset", "generic_bars", home=home).returncode == 0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one event of its making and one a run; tests leave it as it is."""
    home = tmp_path_factory.mktemp("audit") / "home"
    for _ in range(RUNS):
        ingest(home)
    return home


@pytest.fixture
def forged(tmp_path: Path) -> Path:
    """A workspace of which somebody changed an event behind the triggers."""
    home = tmp_path / "home"
    ingest(home)
    with sqlite3.connect(home / "dataspine.db") as connection:
        triggers = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_events'"
        ).fetchall()
        for (name,) in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE audit_events SET actor = 'nobody' WHERE sequence = 2")
    connection.close()
    return home


def test_pages_go_back_to_the_first_event(home: Path) -> None:
    seen: list[int] = []
    before: list[str] = []
    while True:
        page = document(dataspine("audit", "list", "--limit", "2", *before, "--json", home=home))
        seen += [event["sequence"] for event in page["events"]]
        if page["next"] is None:
            break
        before = ["--before", str(page["next"])]
    assert seen == list(range(RUNS + 1, 0, -1))


def test_event_has_the_keys_of_the_contract(home: Path) -> None:
    (event,) = document(dataspine("audit", "list", "--limit", "1", "--json", home=home))["events"]
    assert set(event) == {
        *("sequence", "at", "actor", "channel", "event_type", "entity_type", "entity_id"),
        *("old_state", "new_state", "metadata", "prev_hash", "hash"),
    }
    assert event["at"].endswith("Z")
    assert event["metadata"]["rows_read"] == 1


@pytest.mark.parametrize(
    ("options", "sequences"),
    [
        (("--type", "workspace_created"), [1]),
        (("--entity", "run:2"), [3]),
        (("--entity", "schema"), [1]),
        (("--by", "nobody"), []),
    ],
)
def test_filters(home: Path, options: tuple[str, ...], sequences: list[int]) -> None:
    found = document(dataspine("audit", "list", *options, "--json", home=home))
    assert [event["sequence"] for event in found["events"]] == sequences


def test_people_see_the_newest_first(home: Path) -> None:
    lines = dataspine("audit", "list", "--limit", "2", home=home).stdout.splitlines()
    assert [line.split()[0] for line in lines[3:5]] == [str(RUNS + 1), str(RUNS)]
    assert lines[5] == f"More follow: --before {RUNS}"


def test_follow_shows_what_was_and_what_comes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ingest(home)
    process = subprocess.Popen(
        [*PROGRAM, "--home", str(home), "audit", "follow", "--after", "1", "--limit", "2", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["sequence"] == 2
    ingest(home)
    rest, _ = process.communicate(timeout=TIMEOUT_S)
    assert [json.loads(line)["entity_id"] for line in rest.splitlines()] == ["2"]
    assert process.returncode == 0


def test_whole_log_verifies(home: Path) -> None:
    found = document(dataspine("audit", "verify", "--json", home=home))
    assert (found["ok"], found["events"], found["first_bad"]) == (True, RUNS + 1, None)
    assert found["anchored_up_to"] == found["head_sequence"] == RUNS + 1
    again = document(dataspine("audit", "verify", "--anchor", found["head"], "--json", home=home))
    assert again["ok"]


def test_since_trusts_what_is_anchored(home: Path) -> None:
    found = document(dataspine("audit", "verify", "--since", str(RUNS + 1), "--json", home=home))
    assert (found["ok"], found["events"]) == (True, 1)
    refused = dataspine("audit", "verify", "--since", "0", home=home)
    assert refused.returncode == 2


def test_unknown_anchor_is_a_finding(home: Path) -> None:
    finished = dataspine("audit", "verify", "--anchor", "0" * 64, home=home)
    assert finished.returncode == 1
    assert finished.stdout.startswith("BROKEN: no event has the hash")


def test_changed_event_is_found(forged: Path) -> None:
    found = document(dataspine("audit", "verify", "--json", home=forged), code=1)
    assert (found["ok"], found["first_bad"], found["events"]) == (False, 2, 1)
    assert "2" in found["what"]


def test_export_verifies_elsewhere(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "evidence.jsonl"
    made = document(dataspine("audit", "export", "--evidence", "--out", out, "--json", home=home))
    assert made == {"events": RUNS + 1, "file": str(out)}
    assert out.stat().st_mode & 0o777 == 0o600
    nowhere = tmp_path / "nowhere"
    assert document(dataspine("audit", "verify", "--file", out, "--json", home=nowhere))["ok"]
    out.write_bytes(out.read_bytes().replace(b'"rows_read":1', b'"rows_read":2', 1))
    assert not document(dataspine("audit", "verify", "--file", out, "--json", home=nowhere), code=1)["ok"]


def test_export_is_lines_on_stdout(home: Path) -> None:
    finished = dataspine("audit", "export", "--first", "2", "--last", "3", home=home)
    assert [json.loads(line)["sequence"] for line in finished.stdout.splitlines()] == [2, 3]
    assert finished.stderr == "2 events\n"


def test_export_overwrites_nothing(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("mine")
    assert dataspine("audit", "export", "--out", out, home=home).returncode == 2
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "--json"),
        ("verify", "--file", "gone.jsonl"),
        ("verify", "--file", "x", "--since", "1"),
        ("list", "--limit", "0"),
    ],
)
def test_wrong_request_ends_with_2(home: Path, arguments: tuple[str, ...]) -> None:
    finished = dataspine("audit", *arguments, home=home)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.startswith("error: ")
