"""kill -9 of the engine at any instant of a backfill: it goes on where it was, to the same end."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from dataspine.service.accounts import account_for
from dataspine.service.backfill import BackfillRequest, start_backfill
from dataspine.service.engine import engine_state
from tests.loopback import running_loopback
from tests.simulation.engine_process import (
    FIRST_DAY,
    cell,
    configure,
    end_all,
    ended,
    left_of,
    serve_days,
    sessions_from,
    started,
    started_engine,
    wait_for,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.service.desk import Desk
    from tests.loopback import Loopback

QUICK_SESSIONS, SOAK_SESSIONS = 12, 64
RATE = {"per_minute": 100_000, "burst": 1_000}


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    yield
    end_all()


def _desk(home: Path, url: str) -> Desk:
    return configure(home, {"bars": {"url": url, "calendar": "XNYS", "rate": RATE}})


def _request(sessions: int) -> BackfillRequest:
    days = sessions_from(FIRST_DAY, sessions)
    return BackfillRequest("bars", str(days[0]), str(days[-1]))


def _undisturbed(tmp_path: Path, url: str, sessions: int):
    desk = _desk(tmp_path / "clean", url)
    plan_id = start_backfill(desk, request=_request(sessions)).plan.plan_id
    finish = started("backfill", "start", plan_id, home=desk.home)
    assert ended(finish)[0] == 1, "a record of each early day is refused on purpose"
    return left_of(desk, "bars", 1)


def _kill_at_random(engine: subprocess.Popen[str], source: random.Random, longest_s: float) -> bool:
    """Let an engine run for a while and kill it; False if it had ended before."""
    try:
        engine.communicate(timeout=source.uniform(0.05, longest_s))
    except subprocess.TimeoutExpired:
        engine.kill()
        engine.communicate()
        return True
    return False


def _check(tmp_path: Path, loopback: Loopback, *, seed: int, sessions: int, kills: int) -> None:
    print(f"seed {seed}, {sessions} sessions, {kills} kills")
    url = serve_days(loopback, sessions_from(FIRST_DAY, sessions), slow_s=0.01)
    clean = _undisturbed(tmp_path, url, sessions)
    desk = _desk(tmp_path / "killed", url)
    plan = start_backfill(desk, request=_request(sessions)).plan
    source = random.Random(seed)
    for _ in range(kills):
        engine = started_engine(desk.home)
        wait_for(desk, "SELECT count(*) FROM job_slices WHERE state <> 'queued'", 1, process=engine)
        _kill_at_random(engine, source, sessions * 0.25 / kills)
    engine = started_engine(desk.home)
    wait_for(desk, "SELECT state FROM jobs", "succeeded", process=engine)
    wait_until(lambda: engine_state(desk).is_alive)
    engine.terminate()
    code, _, errors = ended(engine)
    assert code == 0, errors
    assert cell(desk, "SELECT plan_id FROM jobs") == plan.plan_id
    assert cell(desk, "SELECT count(*) FROM jobs") == 1
    assert left_of(desk, "bars", 1) == clean
    assert account_for(desk, deep=True).balanced


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_killed_backfill_goes_on_to_the_same_end(tmp_path: Path, seed: int) -> None:
    with running_loopback() as loopback:
        _check(tmp_path, loopback, seed=seed, sessions=QUICK_SESSIONS, kills=2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [11])
def test_a_long_backfill_survives_twenty_kills(tmp_path: Path, seed: int) -> None:
    with running_loopback() as loopback:
        _check(tmp_path, loopback, seed=seed, sessions=SOAK_SESSIONS, kills=20)
