"""The ticker and the scheduler of pipelines in real threads, with a clock whose date can be set."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from dataspine.calendars.shipped import shipped_calendar
from dataspine.clock import SystemClock, iso_from_us
from dataspine.errors import ConfigError, RequestError
from dataspine.scheduling import scheduler as scheduler_module
from dataspine.scheduling.scheduler import PipelineScheduler, Ticker
from dataspine.scheduling.triggers import next_fire, schedule_from_text
from tests.unit.calendars.calendar_builder import us

WAIT_S = 10.0
EVERY_MINUTE = "* * * * *"


class SettableClock(SystemClock):
    """A clock that runs at the machine's pace, with a date that can be set."""

    def __init__(self, text: str) -> None:
        self.set(text)

    def set(self, text: str) -> None:
        self._shift_us = us(text) - super().now_us()

    def now_us(self) -> int:
        return super().now_us() + self._shift_us


class Pipeline:
    """Remembers when it ran, by the scheduler's clock."""

    def __init__(self, clock: SettableClock) -> None:
        self._clock = clock
        self._ran = threading.Condition()
        self.ran_at: list[str] = []

    def __call__(self) -> None:
        with self._ran:
            self.ran_at.append(iso_from_us(self._clock.now_us())[:16])
            self._ran.notify_all()

    def wait_for(self, count: int) -> list[str]:
        """The minutes of the first `count` runs."""
        with self._ran:
            assert self._ran.wait_for(lambda: len(self.ran_at) >= count, WAIT_S), f"ran at {self.ran_at}"
            return self.ran_at[:count]


@pytest.fixture
def clock() -> SettableClock:
    """A clock at 0.3 s before half past two."""
    return SettableClock("2026-01-09T14:29:59.700Z")


@pytest.fixture
def running():
    """Starts schedulers, and stops them when the test is over."""
    started: list[PipelineScheduler] = []

    def start(scheduler: PipelineScheduler) -> PipelineScheduler:
        started.append(scheduler)
        scheduler.start()
        return scheduler

    yield start
    for scheduler in started:
        scheduler.stop()


@pytest.fixture
def quick_watch(monkeypatch):
    """Dates are compared often, so that a test need not wait for a second."""
    monkeypatch.setattr(scheduler_module, "WATCH_S", 0.05)


def wait_for_line(caplog, message: str) -> logging.LogRecord:
    """The first log line of that message, once it is there."""
    told = threading.Event()
    for _ in range(int(WAIT_S / 0.02)):
        found = [record for record in caplog.records if record.message == message]
        if found:
            return found[0]
        told.wait(0.02)
    pytest.fail(f"no {message} among {[record.message for record in caplog.records]}")


def test_a_job_runs_when_its_minute_comes_and_not_before(clock, running):
    pipeline = Pipeline(clock)
    scheduler = PipelineScheduler(pipeline, {}, clock=clock)
    scheduler.add_job("due", "30 14 * * 1-5")
    scheduler.add_job("later", "31 14 * * *")
    running(scheduler)
    assert pipeline.wait_for(1) == ["2026-01-09T14:30"]
    scheduler.stop()
    assert len(pipeline.ran_at) == 1


def test_a_job_that_is_added_while_it_runs_is_run(clock, running):
    pipeline = Pipeline(clock)
    running(PipelineScheduler(pipeline, clock=clock)).add_job("due", EVERY_MINUTE)
    assert pipeline.wait_for(1) == ["2026-01-09T14:30"]


def test_a_failing_job_is_logged_and_the_scheduler_lives_on(clock, running, caplog, quick_watch):
    good = Pipeline(clock)

    def pipeline() -> None:
        good()
        if len(good.ran_at) == 1:
            raise RuntimeError("vendor fell over")

    scheduler = PipelineScheduler(pipeline, clock=clock)
    scheduler.add_job("fragile", EVERY_MINUTE)
    running(scheduler)
    line = wait_for_line(caplog, "pipeline_failed")
    assert (line.job_id, line.planned_at, line.state) == ("fragile", "2026-01-09T14:30:00Z", "fired")
    assert "vendor fell over" in caplog.text
    clock.set("2026-01-09T14:30:59.900Z")
    assert good.wait_for(2) == ["2026-01-09T14:30", "2026-01-09T14:31"]


def test_a_clock_set_back_by_hours_does_not_stall_the_schedule(clock, running, quick_watch):
    pipeline = Pipeline(clock)
    scheduler = PipelineScheduler(pipeline, clock=clock)
    scheduler.add_job("minutely", EVERY_MINUTE)
    running(scheduler)
    pipeline.wait_for(1)
    clock.set("2026-01-09T12:29:59.500Z")
    assert pipeline.wait_for(2)[1] == "2026-01-09T12:30"


def test_a_clock_set_back_by_seconds_fires_nothing_twice(clock, running, quick_watch, caplog):
    pipeline = Pipeline(clock)
    scheduler = PipelineScheduler(pipeline, clock=clock)
    scheduler.add_job("minutely", EVERY_MINUTE)
    running(scheduler)
    pipeline.wait_for(1)
    clock.set("2026-01-09T14:29:57Z")
    wait_for_line(caplog, "clock_jumped")
    clock.set("2026-01-09T14:30:59.700Z")
    assert pipeline.wait_for(2) == ["2026-01-09T14:30", "2026-01-09T14:31"]


@pytest.mark.parametrize(("catch_up", "missed"), [("latest", 0), ("skip", 1)])
def test_a_clock_set_forward_finds_what_it_jumped_over(clock, running, quick_watch, caplog, catch_up, missed):
    pipeline = Pipeline(clock)
    scheduler = PipelineScheduler(pipeline, {"catch_up": catch_up}, clock=clock)
    scheduler.add_job("hourly", "45 * * * *")
    running(scheduler)
    clock.set("2026-01-09T15:10:00Z")
    if missed:
        line = wait_for_line(caplog, "fire_not_run")
        assert (line.planned_at, line.state, pipeline.ran_at) == ("2026-01-09T14:45:00Z", "skipped", [])
    else:
        assert pipeline.wait_for(1) == ["2026-01-09T15:10"]


def test_all_catches_up_one_after_the_other(clock, running, quick_watch):
    pipeline = Pipeline(clock)
    scheduler = PipelineScheduler(pipeline, {"catch_up": "all"}, clock=clock)
    scheduler.add_job("hourly", "45 * * * *")
    running(scheduler)
    clock.set("2026-01-09T17:10:00Z")
    assert pipeline.wait_for(3) == ["2026-01-09T17:10"] * 3


def test_a_run_that_is_not_over_is_not_run_beside_itself(clock, running, quick_watch, caplog):
    begun, may_end, runs = threading.Event(), threading.Event(), []

    def pipeline() -> None:
        runs.append("began")
        begun.set()
        may_end.wait(WAIT_S)

    scheduler = PipelineScheduler(pipeline, clock=clock)
    scheduler.add_job("slow", EVERY_MINUTE)
    running(scheduler)
    assert begun.wait(WAIT_S)
    clock.set("2026-01-09T14:30:59.900Z")
    line = wait_for_line(caplog, "fire_not_run")
    may_end.set()
    assert (line.planned_at, line.state) == ("2026-01-09T14:31:00Z", "overlapped")
    scheduler.stop()
    assert runs == ["began"]


def test_stopping_waits_for_the_run_in_hand_and_it_can_start_again(clock, running):
    begun, ended = threading.Event(), threading.Event()

    def pipeline() -> None:
        begun.set()
        threading.Event().wait(0.2)
        ended.set()

    scheduler = PipelineScheduler(pipeline, clock=clock)
    scheduler.add_job("due", EVERY_MINUTE)
    running(scheduler)
    assert begun.wait(WAIT_S)
    scheduler.stop()
    assert ended.is_set()
    scheduler.stop()
    begun.clear()
    clock.set("2026-01-09T14:30:59.700Z")
    scheduler.start()
    assert begun.wait(WAIT_S)


def test_a_run_that_does_not_end_is_told_and_keeps_its_scheduler(clock, running, caplog, monkeypatch):
    monkeypatch.setattr(scheduler_module, "STOP_TIMEOUT_S", 0.05)
    begun, may_end = threading.Event(), threading.Event()

    def pipeline() -> None:
        begun.set()
        may_end.wait(WAIT_S)

    scheduler = PipelineScheduler(pipeline, clock=clock)
    scheduler.add_job("stuck", EVERY_MINUTE)
    running(scheduler)
    assert begun.wait(WAIT_S)
    scheduler.stop()
    assert wait_for_line(caplog, "pipeline_still_runs").jobs == ["stuck"]
    with pytest.raises(RequestError, match="runs already"):
        scheduler.start()
    monkeypatch.setattr(scheduler_module, "STOP_TIMEOUT_S", WAIT_S)
    may_end.set()


def test_a_pipeline_that_takes_something_is_given_the_config(clock, running):
    given, came = [], threading.Event()

    def pipeline(config, limit=5) -> None:
        given.append((config, limit))
        came.set()

    config = {"schedule_zone": "America/New_York", "desk": "equities"}
    scheduler = PipelineScheduler(pipeline, config, clock=clock)
    scheduler.add_job("due", "30 9 * * *")
    running(scheduler)
    assert came.wait(WAIT_S)
    assert given == [(config, 5)]


def test_a_coroutine_is_awaited_and_sessions_are_known(clock, running):
    came = threading.Event()

    async def pipeline() -> None:
        await asyncio.sleep(0)
        came.set()

    scheduler = PipelineScheduler(pipeline, {"calendar": "XNYS"}, clock=clock)
    scheduler.add_job("at the open", "open")
    running(scheduler)
    assert came.wait(WAIT_S)


def test_mistakes_are_refused_at_once(running):
    scheduler = PipelineScheduler(print)
    scheduler.add_job("a", "0 9 * * *")
    with pytest.raises(RequestError, match="there is a job of that name, got a"):
        scheduler.add_job("a", "0 9 * * *")
    with pytest.raises(ConfigError, match="job b"):
        scheduler.add_job("b", "nine o'clock")
    with pytest.raises(ConfigError, match="catch_up must be skip, latest or all"):
        PipelineScheduler(print, {"catch_up": "sometimes"})
    with pytest.raises(RequestError, match="no such calendar"):
        PipelineScheduler(print, {"calendar": "XXXX"})
    scheduler.stop()
    running(scheduler)
    with pytest.raises(RequestError, match="runs already"):
        scheduler.start()


async def test_a_calendar_that_ends_stops_no_other_schedule(clock, caplog):
    looked: asyncio.Queue[str] = asyncio.Queue()
    ticker = Ticker(looked.put, clock=clock)
    ends = schedule_from_text("open", calendar=shipped_calendar("XNYS"))
    clock.set("2030-01-07T11:59:59.700Z")
    ticker.add("ended", ends)
    ticker.add("cron", schedule_from_text("0 12 * * *"))
    ticker.start()
    assert await asyncio.wait_for(looked.get(), WAIT_S) == "cron"
    await ticker.stop()
    await ticker.stop()
    assert wait_for_line(caplog, "next_fire_unknown").schedule == "ended"


async def test_a_schedule_can_be_replaced_and_a_failing_look_is_only_told(clock, caplog, quick_watch):
    looks: list[str] = []
    again = asyncio.Event()

    async def look(name: str) -> None:
        looks.append(name)
        if len(looks) > 1:
            again.set()
        raise RuntimeError("no database")

    ticker = Ticker(look, clock=clock)
    ticker.add("a", schedule_from_text("0 3 * * *"))
    ticker.start()
    ticker.add("a", schedule_from_text(EVERY_MINUTE))
    await asyncio.sleep(0.5)
    assert looks == ["a"]
    clock.set("2026-01-09T16:00:00Z")
    await asyncio.wait_for(again.wait(), WAIT_S)
    await ticker.stop()
    assert "no database" in caplog.text


def test_the_settable_clock_stands_just_before_a_fire(clock):
    assert next_fire(schedule_from_text(EVERY_MINUTE), clock.now_us()) == us("2026-01-09T14:30Z")
