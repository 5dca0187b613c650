"""`sessions` as a script meets it: documents, tables, exit codes, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from dataspine.calendars.shipped import CALENDARS, shipped_calendar
from dataspine.cli.main import run_command
from dataspine.store import sessions as stored


@pytest.fixture
def run(spine, capsysbinary):
    """Run a command at the workspace: its exit code, stdout and stderr."""

    def run_it(*arguments):
        home = ["--home", str(spine.workspace.home), "--now", "2026-01-09T14:00:00Z"]
        code = run_command([*home, "sessions", *arguments])
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return run_it


def forget_friday(spine):
    """Put a calendar in force that lacks a session which generating gives back."""
    ours = shipped_calendar("24/5")
    kept = tuple(item for item in ours.sessions if item.day != date(2026, 1, 9))
    with spine.workspace.database.transaction() as tx:
        stored.insert(tx, replace(ours, sessions=kept), reason="test", now_us=0)


def test_list_without_a_name_lists_the_calendars(run):
    code, out, _ = run("list", "--json")
    found = json.loads(out)["calendars"]
    assert (code, [item["name"] for item in found]) == (0, list(CALENDARS))
    assert found[0] == {
        "name": "XNYS",
        "zone": "America/New_York",
        "first_day": "2016-01-01",
        "last_day": "2027-12-31",
        "made_by": shipped_calendar("XNYS").made_by,
        "version": shipped_calendar("XNYS").version,
        "exchange": "New York Stock Exchange",
        "is_shipped": True,
        "overrides": 0,
    }
    code, out, _ = run("list")
    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= 80


def test_list_shows_a_fortnight_from_today(run):
    code, out, _ = run("list", "XHKG", "--json")
    found = json.loads(out)["sessions"]
    assert (code, found[0]["date"], found[-1]["date"]) == (0, "2026-01-09", "2026-01-22")
    assert found[0] == {
        "date": "2026-01-09",
        "open_at": "2026-01-09T01:30:00Z",
        "close_at": "2026-01-09T08:00:00Z",
        "break_start_at": "2026-01-09T04:00:00Z",
        "break_end_at": "2026-01-09T05:00:00Z",
        "is_half_day": False,
    }


def test_list_shows_half_days_and_overrides_to_people(run):
    assert run("override", "XNYS", "2025-11-26", "--closed", "--reason", "[bold]storm\x1b[0m")[0] == 0
    code, out, _ = run("list", "XNYS", "--from", "2025-11-24", "--to", "2025-11-28")
    assert code == 0
    assert "2025-11-28 09:30-13:00 half day" in " ".join(out.split())
    assert "2025-11-26 closed; [bold]storm" in out
    assert "\x1b" not in out


def test_dates_outside_the_calendar_name_bounds_and_cure(run):
    code, out, err = run("list", "XNYS", "--from", "2015-12-31", "--to", "2016-01-05", "--json")
    assert (code, out) == (2, "")
    assert "outside the calendar, got 2015-12-31 (XNYS, 2016-01-01 to 2027-12-31)" in err
    assert "sessions refresh --from 2015-12-31" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "XLSE"), "there is no such calendar, got XLSE"),
        (("list", "XNYS", "--from", "tomorrow"), "--from must be a date, got tomorrow"),
        (("override", "XNYS", "2026-13-01", "--closed", "--reason", "x"), "DATE must be a date"),
        (("override", "XNYS", "2026-01-09", "--reason", "x"), "say either --closed"),
        (("override", "XNYS", "2026-01-09", "--closed", "--reason", " "), "a reason is needed"),
        (("undo", "3", "--reason", "x"), "there is no such override, got 3"),
        (("refresh", "24/7", "--yes"), "--yes needs a reason"),
    ],
)
def test_what_is_refused_exits_2(run, arguments, said):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_override_and_undo(run):
    code, out, _ = run("override", "XNYS", "2026-01-09", "--close", "13:00", "--reason", "storm", "--json")
    made = json.loads(out)["override"]
    assert (code, made["calendar"], made["date"], made["reason"]) == (0, "XNYS", "2026-01-09", "storm")
    assert made["session"]["close_at"] == "2026-01-09T18:00:00Z"
    assert made["session"]["is_half_day"] is True
    code, out, _ = run("undo", str(made["id"]), "--reason", "it passed", "--json")
    assert (code, json.loads(out)["undone"]["session"]["close_at"]) == (0, "2026-01-09T21:00:00Z")


def test_refresh_shows_then_applies(run, spine):
    forget_friday(spine)
    code, out, _ = run("refresh", "24/5")
    assert code == 1
    assert "24/5 2026-01-09 closed 17:00 the day before-17:00" in " ".join(out.split())
    assert "Nothing was applied" in out
    code, out, _ = run("refresh", "24/5", "--yes", "--reason", "corrected", "--json")
    document = json.loads(out)
    assert (code, document["applied"]) == (0, True)
    assert [item["date"] for item in document["calendars"][0]["added"]] == ["2026-01-09"]
    code, out, _ = run("refresh", "24/5")
    assert (code, out) == (0, "Nothing differs in 1 calendar(s).\n")


def test_refresh_writes_files_instead_of_applying(run, tmp_path):
    code, _, err = run("refresh", "24/7", "--out", str(tmp_path / "files"))
    assert code == 0
    assert (tmp_path / "files" / "24-7.json").exists()
    assert "wrote " in err


def test_what_matters_most_is_shown_first(run):
    code, out, _ = run("refresh", "24/7", "--from", "2015-01-01")
    assert code == 1
    assert "And 325 more: --json shows them all." in out
