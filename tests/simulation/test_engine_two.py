"""Two engines at one workspace: one works, and one that was stopped past its lease writes nothing when it wakes."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from dataspine.clock import SystemClock
from dataspine.service.backfill import BackfillRequest, start_backfill
from dataspine.service.engine import engine_state
from dataspine.store.lease import EXPIRY_S
from tests.loopback import in_turn, reply, running_loopback
from tests.simulation.engine_process import (
    FIRST_DAY,
    bars,
    cell,
    configure,
    end_all,
    ended,
    left_of,
    serve_days,
    sessions_from,
    slowly,
    started_engine,
    wait_for,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.service.desk import Desk

SESSIONS = 4


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    yield
    end_all()


def test_a_second_engine_is_refused_with_3(tmp_path: Path) -> None:
    desk = configure(tmp_path / "home", {"bars": {"path": "nothing/{date}.csv"}})
    first = started_engine(desk.home)
    wait_until(lambda: _is_alive(desk))
    for rehearsal in ((), ("--now", "2026-01-09T14:30:00Z"), ("--now", "2036-01-09T14:30:00Z")):
        code, _, errors = ended(started_engine(desk.home, *rehearsal))
        assert code == 3
        assert "another engine runs" in errors
    first.terminate()
    assert ended(first)[0] == 0
    assert cell(desk, "SELECT owner FROM lease") == ""


def test_a_killed_engine_is_replaced_at_once(tmp_path: Path) -> None:
    desk = configure(tmp_path / "home", {"bars": {"path": "nothing/{date}.csv"}})
    first = started_engine(desk.home)
    wait_until(lambda: _is_alive(desk))
    first.kill()
    first.communicate()
    assert not engine_state(desk).is_alive
    clock = SystemClock()
    began_s = clock.monotonic_s()
    second = started_engine(desk.home)
    wait_for(desk, "SELECT token FROM lease", 2, process=second)
    assert clock.monotonic_s() - began_s < EXPIRY_S
    second.terminate()
    assert ended(second)[0] == 0


def test_an_engine_that_wakes_up_replaced_writes_nothing(tmp_path: Path) -> None:
    """It is stopped in the middle of a slice, holding the source's lock; the other finishes that very slice."""
    days = sessions_from(FIRST_DAY, SESSIONS)
    with running_loopback() as loopback:
        url = serve_days(loopback, days)
        # The first answer takes long enough to be stopped in; the second engine's comes at once.
        slow = in_turn(slowly(reply(bars(days[1])), 3.0), reply(bars(days[1])))
        loopback.serve(f"/bars/{days[1]}", slow)
        desk = configure(
            tmp_path / "home", {"bars": {"url": url, "calendar": "XNYS", "rate": {"per_minute": 100_000}}}
        )
        start_backfill(desk, request=BackfillRequest("bars", str(days[0]), str(days[-1])))
        stopped = started_engine(desk.home)
        wait_for(desk, "SELECT state FROM job_slices WHERE slice_no = 2", "running", process=stopped)
        stopped.send_signal(signal.SIGSTOP)
        other = None
        try:
            SystemClock().sleep_s(EXPIRY_S + 0.5)
            other = started_engine(desk.home)
            wait_for(desk, "SELECT state FROM jobs", "succeeded", process=other)
            before = left_of(desk, "bars", 1)
            events = cell(desk, "SELECT max(sequence) FROM audit_events")
        finally:
            stopped.send_signal(signal.SIGCONT)
        code, _, errors = ended(stopped)
        assert code == 3
        assert "another engine has taken over" in errors
        assert left_of(desk, "bars", 1) == before
        assert cell(desk, "SELECT max(sequence) FROM audit_events") == events
        assert cell(desk, "SELECT token FROM lease") == 2
        assert other is not None
        assert other.poll() is None
        other.terminate()
        assert ended(other)[0] == 0


def test_the_log_is_json_lines(tmp_path: Path) -> None:
    desk = configure(tmp_path / "home", {"bars": {"path": "nothing/{date}.csv"}})
    engine = started_engine(desk.home)
    wait_until(lambda: _is_alive(desk))
    engine.send_signal(signal.SIGINT)
    assert ended(engine)[0] == 0
    lines = (desk.home / "logs" / "engine.jsonl").read_text(encoding="ascii").splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert {"engine_started", "engine_stopping"} <= set(events)
    assert events[-1] == "engine_stopped"


def _is_alive(desk: Desk) -> bool:
    # Before the database is made there is no state to ask for.
    return bool(cell(desk, "SELECT owner FROM lease")) and engine_state(desk).is_alive
