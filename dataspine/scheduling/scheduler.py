"""APScheduler's one door: a ticker in memory that says when to look, and a scheduler of pipelines for library users.

What is due is decided by `triggers.due` from instants that the caller keeps, never by APScheduler: it would run a
01:30 job twice where clocks fall back, and sleep on to the old time after its clock was set back.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from dataspine.calendars.shipped import shipped_calendar
from dataspine.clock import Clock, SystemClock, iso_from_us
from dataspine.errors import ConfigError, DataspineError, RequestError
from dataspine.scheduling.triggers import CatchUp, Schedule, due, next_fire, schedule_from_text, seen_after
from dataspine.schemas.job import OccurrenceState

WATCH_S = 1.0
"""How often the date is held against a clock that never goes back."""
DRIFT_MAX_S = 2.0
"""A date that moved this much more or less than time did was set: everything is planned anew."""
STOP_TIMEOUT_S = 10.0
"""How long `PipelineScheduler.stop` waits for a pipeline in hand."""
_BLIND_WAIT = timedelta(hours=1)
# APScheduler's clock is read a moment before ours; this keeps a look from coming a moment before its fire.
_MARGIN = timedelta(milliseconds=1)
_LOG = logging.getLogger(__name__)


class Ticker:
    """Calls `on_look(name)` when something of a schedule is due, and after the date was set; for one event loop.

    A look may find nothing: what is due is the caller's to decide, with `triggers.due`.
    """

    def __init__(self, on_look: Callable[[str], Awaitable[None]], *, clock: Clock | None = None) -> None:
        self._on_look = on_look
        self._clock = clock or SystemClock()
        self._schedules: dict[str, Schedule] = {}
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._watcher: asyncio.Task[None] | None = None

    def add(self, name: str, schedule: Schedule) -> None:
        """Look at `name` when `schedule` says so; a known name gets the new schedule."""
        self._schedules[name] = schedule
        self._scheduler.add_job(
            self._look,
            _Trigger(name, schedule, self._clock),
            args=(name,),
            id=name,
            replace_existing=True,
            misfire_grace_time=None,
            coalesce=True,
        )

    def start(self) -> None:
        """Begin, in the event loop that runs now."""
        self._scheduler.start()
        # Read here, not when the task first runs: the date may be set in between.
        begun = self._clock.now_us(), self._clock.monotonic_s()
        self._watcher = asyncio.get_running_loop().create_task(self._watch(*begun))

    async def stop(self) -> None:
        """End; a look in hand is cancelled."""
        if self._watcher is None:
            return
        self._watcher.cancel()
        await asyncio.gather(self._watcher, return_exceptions=True)
        self._watcher = None
        self._scheduler.shutdown(wait=False)
        # APScheduler ends in a callback of the loop.
        await asyncio.sleep(0)

    async def _watch(self, date_us: int, time_s: float) -> None:
        """Plan anew whenever the date was set: APScheduler sleeps until the date that it once computed."""
        while True:
            await asyncio.sleep(WATCH_S)
            now_us, now_s = self._clock.now_us(), self._clock.monotonic_s()
            drift_s = (now_us - date_us) / 1e6 - (now_s - time_s)
            date_us, time_s = now_us, now_s
            if abs(drift_s) > DRIFT_MAX_S:
                _LOG.warning("clock_jumped", extra={"drift_s": round(drift_s, 3)})
                await self._plan_anew()

    async def _plan_anew(self) -> None:
        for name, schedule in list(self._schedules.items()):
            self.add(name, schedule)
        for name in list(self._schedules):
            await self._look(name)

    async def _look(self, name: str) -> None:
        try:
            await self._on_look(name)
        except Exception:  # noqa: BLE001 - the border of a job: one schedule that fails stops none of the others
            _LOG.exception("look_failed", extra={"schedule": name})


class _Trigger(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """The next fire of a schedule by our clock, said in terms of APScheduler's."""

    def __init__(self, name: str, schedule: Schedule, clock: Clock) -> None:
        self._name = name
        self._schedule = schedule
        self._clock = clock

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """When to look next."""
        del previous_fire_time
        now_us = self._clock.now_us()
        try:
            fire_us = next_fire(self._schedule, now_us)
        except DataspineError as error:
            # An error here would end APScheduler's loop, and with it every other schedule.
            _LOG.error("next_fire_unknown", extra={"schedule": self._name, "error": str(error)})
            return now + _BLIND_WAIT
        return None if fire_us is None else now + timedelta(microseconds=fire_us - now_us) + _MARGIN


class PipelineScheduler:
    """Runs one pipeline on schedules, in a thread of its own, from synchronous code.

    `config` may say `schedule_zone`, `calendar` and `catch_up`, as a source's profile does; all of it is handed to a
    `pipeline_fn` that takes a parameter. A job whose run is not over yet does not begin another one.

    Raises: ConfigError for a value of those three that cannot be.
    """

    def __init__(
        self,
        pipeline_fn: Callable[..., Any],
        config: Mapping[str, Any] | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        options = config or {}
        self._pipeline_fn = pipeline_fn
        self._arguments = (config,) if _takes_argument(pipeline_fn) else ()
        self._zone = str(options.get("schedule_zone", "UTC"))
        self._calendar = shipped_calendar(options["calendar"]) if options.get("calendar") else None
        self._catch_up = _catch_up(options.get("catch_up", "latest"))
        self._clock = clock or SystemClock()
        self._schedules: dict[str, Schedule] = {}
        self._seen_us: dict[str, int] = {}
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticker: Ticker | None = None
        self._stopping = asyncio.Event()
        self._thread: threading.Thread | None = None

    def add_job(self, job_id: str, cron: str) -> None:
        """Run the pipeline when `cron` says so: five fields, or session offsets such as `close+20m`.

        Raises: ConfigError if the schedule is not understood; RequestError if there is a job of that name.
        """
        schedule = schedule_from_text(cron, zone=self._zone, calendar=self._calendar, where=f"job {job_id}")
        with self._guard:
            if job_id in self._schedules:
                raise RequestError("there is a job of that name", found=job_id, cure="Give it another name")
            self._schedules[job_id] = schedule
            self._seen_us[job_id] = self._clock.now_us()
            if self._loop is not None and self._ticker is not None:
                self._loop.call_soon_threadsafe(self._ticker.add, job_id, schedule)

    def start(self) -> None:
        """Begin to run jobs; what was due before is not caught up.

        Raises: RequestError if it runs already.
        """
        if self._thread is not None:
            raise RequestError("the scheduler runs already", cure="Call stop() first")
        is_ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(is_ready)), name="dataspine-scheduler", daemon=True
        )
        self._thread.start()
        is_ready.wait()

    def stop(self) -> None:
        """Begin no other run, and wait up to 10 s for those in hand; without effect when it does not run."""
        if self._thread is None:
            return
        with self._guard:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(STOP_TIMEOUT_S)
        if self._thread.is_alive():
            _LOG.warning("pipeline_still_runs", extra={"jobs": sorted(self._in_hand)})
        else:
            self._thread = None

    async def _serve(self, is_ready: threading.Event) -> None:
        """The thread's whole life."""
        ticker = Ticker(self._look, clock=self._clock)
        self._stopping = asyncio.Event()
        try:
            with self._guard:
                self._loop, self._ticker = asyncio.get_running_loop(), ticker
                self._seen_us = dict.fromkeys(self._schedules, self._clock.now_us())
                for job_id, schedule in self._schedules.items():
                    ticker.add(job_id, schedule)
            ticker.start()
        finally:
            # Who waits for the start must not wait for ever, whatever became of it.
            is_ready.set()
        await self._stopping.wait()
        with self._guard:
            self._loop = self._ticker = None
        await ticker.stop()
        await asyncio.gather(*self._in_hand.values())

    async def _look(self, job_id: str) -> None:
        now_us, seen_us = self._clock.now_us(), self._seen_us[job_id]
        found = due(self._schedules[job_id], seen_us, now_us, self._catch_up)
        self._seen_us[job_id] = seen_after(seen_us, now_us, found)
        runs = []
        for planned_us, state in found:
            told = {"job_id": job_id, "planned_at": iso_from_us(planned_us), "state": state.value}
            if state not in (OccurrenceState.FIRED, OccurrenceState.LATE):
                _LOG.warning("fire_not_run", extra=told)
            elif job_id in self._in_hand:
                _LOG.warning("fire_not_run", extra={**told, "state": OccurrenceState.OVERLAPPED.value})
            else:
                runs.append(told)
        if runs:
            self._in_hand[job_id] = asyncio.get_running_loop().create_task(self._run(job_id, runs))

    async def _run(self, job_id: str, runs: list[dict[str, str]]) -> None:
        """One run a fire, one after the other."""
        for told in runs:
            try:
                if inspect.iscoroutinefunction(self._pipeline_fn):
                    await self._pipeline_fn(*self._arguments)
                else:
                    await asyncio.to_thread(self._pipeline_fn, *self._arguments)
                _LOG.info("pipeline_ran", extra=told)
            except Exception:  # noqa: BLE001 - the border of a job: the scheduler lives on
                _LOG.exception("pipeline_failed", extra=told)
        del self._in_hand[job_id]


def _takes_argument(pipeline_fn: Callable[..., Any]) -> bool:
    """Whether a pipeline must be given something; one that cannot be looked into is given nothing."""
    try:
        parameters = inspect.signature(pipeline_fn).parameters.values()
    except (TypeError, ValueError):
        return False
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(item.default is item.empty and item.kind in by_position for item in parameters)


def _catch_up(given: object) -> CatchUp:
    for policy in get_args(CatchUp):
        if given == policy:
            return policy  # type: ignore[no-any-return] # get_args forgets what the literals are
    raise ConfigError("catch_up must be skip, latest or all", found=repr(given))
