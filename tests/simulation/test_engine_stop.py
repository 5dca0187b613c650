"""Stopping the engine, and vendors that hang: within ten seconds, nothing lost, nobody else kept waiting."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from dataspine.clock import SystemClock
from dataspine.service.backfill import BackfillRequest, start_backfill
from dataspine.store.database import BUSY_TIMEOUT_MS
from tests.loopback import hang, running_loopback
from tests.simulation.engine_process import (
    FIRST_DAY,
    cell,
    configure,
    end_all,
    ended,
    left_of,
    serve_days,
    sessions_from,
    started_engine,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RATE = {"per_minute": 100_000}


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    yield
    end_all()


def _range(source: str, sessions: int) -> BackfillRequest:
    days = sessions_from(FIRST_DAY, sessions)
    return BackfillRequest(source, str(days[0]), str(days[-1]))


def test_sigint_ends_a_busy_engine_within_ten_seconds(tmp_path: Path) -> None:
    """The backfill that it leaves is finished by the next engine."""
    with running_loopback() as loopback:
        url = serve_days(loopback, sessions_from(FIRST_DAY, 30), slow_s=0.05)
        desk = configure(tmp_path / "home", {"bars": {"url": url, "calendar": "XNYS", "rate": RATE}})
        start_backfill(desk, request=_range("bars", 30))
        engine = started_engine(desk.home)
        wait_for(desk, "SELECT count(*) FROM job_slices WHERE state = 'succeeded'", 2, process=engine)
        clock = SystemClock()
        began_s = clock.monotonic_s()
        engine.send_signal(signal.SIGINT)
        code, _, errors = ended(engine)
        assert code == 0, errors
        assert clock.monotonic_s() - began_s < 10
        assert cell(desk, "SELECT owner FROM lease") == ""
        assert cell(desk, "SELECT count(*) FROM job_slices WHERE state = 'running'") == 0
        assert cell(desk, "SELECT state FROM jobs") == "running"
        again = started_engine(desk.home)
        wait_for(desk, "SELECT state FROM jobs", "succeeded", process=again)
        again.terminate()
        assert ended(again)[0] == 0
        left_of(desk, "bars", 1)


def test_a_vendor_that_hangs_keeps_neither_others_nor_the_end_waiting(tmp_path: Path) -> None:
    with running_loopback() as loopback:
        days = sessions_from(FIRST_DAY, 3)
        good = serve_days(loopback, days)
        for day in days:
            loopback.serve(f"/dead/{day}", hang())
        desk = configure(
            tmp_path / "home",
            {
                "dead": {"url": loopback.url("/dead/{date}"), "calendar": "XNYS", "http": {"timeout_s": 60}},
                "bars": {"url": good, "calendar": "XNYS", "rate": RATE},
            },
        )
        start_backfill(desk, request=_range("dead", 3))
        start_backfill(desk, request=_range("bars", 3))
        engine = started_engine(desk.home)
        wait_for(desk, "SELECT state FROM jobs WHERE source = 'bars'", "succeeded", process=engine)
        assert cell(desk, "SELECT state FROM job_slices WHERE job_id = 1 AND slice_no = 1") == "running"
        clock = SystemClock()
        began_s = clock.monotonic_s()
        engine.send_signal(signal.SIGTERM)
        code, _, errors = ended(engine)
        assert code == 0, errors
        assert clock.monotonic_s() - began_s < 10
        assert cell(desk, "SELECT state FROM job_slices WHERE job_id = 1 AND slice_no = 1") == "queued"
        assert cell(desk, "SELECT attempts FROM job_slices WHERE job_id = 1 AND slice_no = 1") == 0


def test_a_database_that_is_held_by_somebody_for_long_is_waited_for(tmp_path: Path) -> None:
    """Longer than a writer waits: what could not be written is put back and done again."""
    days = sessions_from(FIRST_DAY, 6)
    with running_loopback() as loopback:
        desk = configure(
            tmp_path / "home",
            {"bars": {"url": serve_days(loopback, days, slow_s=0.3), "calendar": "XNYS", "rate": RATE}},
        )
        start_backfill(desk, request=_range("bars", 6))
        engine = started_engine(desk.home)
        wait_for(desk, "SELECT count(*) FROM job_slices WHERE state = 'succeeded'", 1, process=engine)
        with desk.acting() as spine, spine.workspace.database.transaction():
            SystemClock().sleep_s(BUSY_TIMEOUT_MS / 1000 + 3)
            assert engine.poll() is None
        wait_for(desk, "SELECT state FROM jobs", "succeeded", process=engine)
        engine.terminate()
        assert ended(engine)[0] == 0
        assert "write_failed" in (desk.home / "logs" / "engine.jsonl").read_text(encoding="ascii")
        left_of(desk, "bars", 1)


def test_a_second_signal_ends_at_once_and_loses_nothing(tmp_path: Path) -> None:
    with running_loopback() as loopback:
        loopback.serve(f"/dead/{FIRST_DAY}", hang())
        desk = configure(
            tmp_path / "home",
            {"dead": {"url": loopback.url("/dead/{date}"), "calendar": "XNYS", "http": {"timeout_s": 60}}},
        )
        start_backfill(desk, request=_range("dead", 1))
        engine = started_engine(desk.home)
        wait_for(desk, "SELECT state FROM job_slices", "running", process=engine)
        clock = SystemClock()
        began_s = clock.monotonic_s()
        engine.send_signal(signal.SIGINT)
        clock.sleep_s(0.5)
        engine.send_signal(signal.SIGINT)
        assert ended(engine)[0] == 130
        assert clock.monotonic_s() - began_s < 3
        again = started_engine(desk.home)
        wait_for(
            desk,
            "SELECT count(*) FROM audit_events WHERE event_type = 'slice_put_back'",
            1,
            process=again,
        )
        again.terminate()
        assert ended(again)[0] == 0
