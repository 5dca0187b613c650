"""The engine live: sources are read when they are due, and what was missed is caught up as each declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.command_line import dataspine, document
from tests.loopback import hang, running_loopback
from tests.simulation.engine_process import cell, configure, end_all, ended, started_engine, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = "symbol,timestamp,close,volume\n"
JUST_BEFORE = "2026-01-09T14:59:53Z"
"""New York is open, and an hour begins in seven seconds."""


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    yield
    end_all()


def _drop(home: Path, minute: int) -> None:
    (home / "drop").mkdir(exist_ok=True)
    text = f"{HEADER}AAPL,2026-01-09T14:{minute:02d}:00Z,187.25,100\n"
    (home / "drop" / "bars.csv").write_text(text, encoding="utf-8")


def test_a_source_is_read_when_it_is_due(tmp_path: Path) -> None:
    """One by cron, one by its exchange's session; the hung one keeps nobody waiting."""
    with running_loopback() as loopback:
        loopback.serve("/hung", hang())
        desk = configure(
            tmp_path / "home",
            {
                "by_cron": {"path": "drop/*.csv", "schedule": "* * * * *"},
                "by_session": {"path": "drop/*.csv", "schedule": "every 30m in session", "calendar": "XNYS"},
                "hung": {"url": loopback.url("/hung"), "schedule": "* * * * *"},
            },
        )
        _drop(desk.home, 0)
        engine = started_engine(desk.home, "--now", JUST_BEFORE)
        for source in ("by_cron", "by_session"):
            done = f"SELECT state FROM jobs WHERE source = '{source}'"
            wait_for(desk, done, "succeeded", process=engine)
        assert cell(desk, "SELECT state FROM jobs WHERE source = 'hung'") == "running"
        found = document(dataspine("status", "--json", "--now", "2026-01-09T15:00:10Z", home=desk.home))
        assert found["next"] == {
            "by_cron": "2026-01-09T15:01:00Z",
            "hung": "2026-01-09T15:01:00Z",
            "by_session": "2026-01-09T15:30:00Z",
        }
        assert found["engine"]["is_alive"]
        engine.terminate()
        assert ended(engine)[0] == 0
        fired = "SELECT count(*) FROM occurrences WHERE state = 'fired' AND planned_us = 1767970800000000"
        assert cell(desk, fired) == 3


def test_what_passed_without_an_engine_is_caught_up_by_policy(tmp_path: Path) -> None:
    desk = configure(
        tmp_path / "home",
        {
            name: {"path": "drop/*.csv", "schedule": "0 * * * *", "catch_up": name}
            for name in ("latest", "skip", "all")
        },
    )
    _drop(desk.home, 0)
    first = started_engine(desk.home, "--now", JUST_BEFORE)
    wait_for(desk, "SELECT count(*) FROM jobs WHERE state = 'succeeded'", 3, process=first)
    first.terminate()
    assert ended(first)[0] == 0
    second = started_engine(desk.home, "--now", "2026-01-09T18:10:00Z")
    wait_for(desk, "SELECT count(*) FROM jobs WHERE state = 'succeeded'", 3 + 1 + 3, process=second)
    second.terminate()
    assert ended(second)[0] == 0
    with desk.reading() as database:
        found = database.rows(
            "SELECT source, state, count(*) FROM occurrences WHERE planned_us > 1767970800000000"
            " GROUP BY source, state ORDER BY source, state"
        )
    assert found == [
        ("all", "late", 3),
        ("latest", "late", 1),
        ("latest", "missed", 2),
        ("skip", "skipped", 3),
    ]
    events = document(dataspine("audit", "list", "--type", "occurrence_missed", "--json", home=desk.home))
    assert len(events["events"]) == 2
