"""`dataspine backfill`, `jobs` and `health` in real processes, against a vendor on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.command_line import dataspine, document
from tests.loopback import reply, running_loopback
from tests.simulation.engine_process import (
    FIRST_DAY,
    bars,
    configure,
    end_all,
    ended,
    serve_days,
    sessions_from,
    started_engine,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.service.desk import Desk
    from tests.loopback import Loopback

DAYS = sessions_from(FIRST_DAY, 3)
RANGE = ("--start", str(DAYS[0]), "--end", str(DAYS[-1]))
RETRY = {"max_attempts": 1}


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with running_loopback() as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, loopback: Loopback) -> Desk:
    url = serve_days(loopback, DAYS)
    made = configure(
        tmp_path / "home",
        {
            "bars": {"url": url, "calendar": "XNYS", "retry": RETRY, "rate": {"per_minute": 100_000}},
            "drop": {"path": "drop/*.csv"},
        },
    )
    document(dataspine("init", "--json", home=made.home))
    return made


def test_plan_start_and_the_same_again(desk: Desk) -> None:
    plan = document(dataspine("backfill", "plan", "bars", *RANGE, "--json", home=desk.home))
    assert [(piece["partition"], piece["why"]) for piece in plan["slices"]] == [
        (str(day), "missing") for day in DAYS
    ]
    assert plan["requests"] == 3
    done = document(dataspine("backfill", "start", plan["plan_id"][:12], "--json", home=desk.home), code=1)
    assert done["plan_id"] == plan["plan_id"]
    assert [piece["state"] for piece in done["slices"]] == ["succeeded"] * 3
    assert done["rejected"] == 6, "one minute of each day is refused, for both symbols"
    again = document(
        dataspine("backfill", "start", "bars", *RANGE, "--mode", "reingest", "--json", home=desk.home), code=1
    )
    assert again["digest"] == done["digest"]
    assert again["inserted"] == 0
    nothing = document(dataspine("backfill", "start", "bars", *RANGE, "--json", home=desk.home))
    assert nothing["slices"] == []


def test_a_plan_is_refused_when_the_world_moved_until_replanned(desk: Desk) -> None:
    plan = document(dataspine("backfill", "plan", "bars", *RANGE, "--json", home=desk.home))
    with (desk.home / "dataspine.toml").open("a") as config:
        config.write("[sources.bars.contract]\nmax_future_s = 60\n")
    refused = dataspine("backfill", "start", plan["plan_id"], home=desk.home)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "the world has moved" in refused.stderr
    assert "configuration was" in refused.stderr
    done = document(
        dataspine("backfill", "start", plan["plan_id"], "--replan", "--json", home=desk.home), code=1
    )
    assert done["plan_id"] != plan["plan_id"]
    assert done["state"] == "succeeded"


def test_a_dead_task_is_listed_and_run_again(desk: Desk, loopback: Loopback) -> None:
    loopback.serve(f"/bars/{DAYS[1]}", reply(status=500))
    done = document(dataspine("backfill", "start", "bars", *RANGE, "--json", home=desk.home), code=1)
    assert [piece["state"] for piece in done["slices"]] == ["succeeded", "failed", "succeeded"]
    (dead,) = document(dataspine("jobs", "list", "--dead", "--json", home=desk.home))["dead_tasks"]
    assert (dead["job_id"], dead["slice"], dead["partition"]) == (1, 2, str(DAYS[1]))
    loopback.serve(f"/bars/{DAYS[1]}", reply(bars(DAYS[1])))
    again = document(dataspine("jobs", "retry", "1/2", "--json", home=desk.home), code=1)
    assert again["state"] == "succeeded"
    assert document(dataspine("jobs", "list", "--dead", "--json", home=desk.home))["dead_tasks"] == []


def test_pause_resume_and_cancel(desk: Desk) -> None:
    queued = document(dataspine("backfill", "start", "bars", *RANGE, "--no-wait", "--json", home=desk.home))
    assert queued["state"] == "queued"
    name = queued["plan_id"]
    assert document(dataspine("backfill", "pause", name, "--json", home=desk.home))["state"] == "paused"
    assert document(dataspine("backfill", "cancel", "1", "--json", home=desk.home))["state"] == "cancelled"
    refused = dataspine("backfill", "resume", "1", home=desk.home)
    assert (refused.returncode, "cannot be resumed" in refused.stderr) == (2, True)
    done = document(dataspine("backfill", "retry", "1", "--json", home=desk.home), code=1)
    assert done["state"] == "succeeded"
    listed = document(dataspine("backfill", "list", "--json", home=desk.home))["backfills"]
    assert [(job["job_id"], job["state"]) for job in listed] == [(1, "succeeded")]


def test_a_backfill_is_left_to_the_engine_that_runs_and_health_says_so(desk: Desk) -> None:
    before = document(dataspine("health", "--json", home=desk.home), code=2)
    assert before["problems"] == ["no engine runs; start one with `dataspine run --mode live`"]
    engine = started_engine(desk.home)
    wait_for(desk, "SELECT count(*) FROM lease WHERE owner <> ''", 1, process=engine)
    document(dataspine("backfill", "start", "bars", *RANGE, "--json", home=desk.home), code=1)
    healthy = document(dataspine("health", "--json", home=desk.home))
    assert (healthy["state"], healthy["engine"]["is_alive"]) == ("ok", True)
    tokens = document(dataspine("audit", "list", "--type", "lease_taken", "--json", home=desk.home))
    assert len(tokens["events"]) == 1, "the command did not run an engine of its own"
    engine.terminate()
    assert ended(engine)[0] == 0


def test_run_backfills_what_can_be_asked_by_day(desk: Desk) -> None:
    plans = document(dataspine("run", "--mode", "backfill", *RANGE, "--dry-run", "--json", home=desk.home))
    assert [(plan["source"], len(plan["slices"])) for plan in plans["plans"]] == [("bars", 3)]
    done = document(dataspine("run", "--mode", "backfill", *RANGE, "--json", home=desk.home), code=1)
    assert [(job["source"], job["state"]) for job in done["backfills"]] == [("bars", "succeeded")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "drop", *RANGE), "cannot be asked for single days"),
        (("plan", "nobody", *RANGE), "no such source"),
        (("plan", "bars", "--start", "2026-01-05"), "both --start and --end"),
        (("plan", "bars", "--start", "today", "--end", "2026-01-06"), "--start must be a day"),
        (("plan", "bars", "--start", "2026-01-06", "--end", "2026-01-05"), "must not be after"),
        (("plan", "bars", *RANGE, "--mode", "all"), "--mode must be one of gaps, reingest, shadow"),
        (("plan", "bars", *RANGE, "--symbols", "AAPL"), "cannot be asked for single symbols"),
        (("start", "0123456789"), "no such plan"),
        (("show", "77"), "no such job"),
        (("retry", "1/x"), "a task is a job and a slice"),
    ],
)
def test_what_cannot_be_is_said_and_ends_with_2(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    finished = dataspine("backfill", *arguments, home=desk.home)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert said in finished.stderr
