"""The engine's core: an event loop that beats, looks, claims and hands slices to worker threads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dataspine.audit.export import mirror
from dataspine.calendars.lookup import OutsideCalendar
from dataspine.engine.circuit import left_alone, note_attempt
from dataspine.engine.heartbeat import Tenure
from dataspine.engine.jobs import ENDED, Task, claim
from dataspine.engine.stalls import StallMeter
from dataspine.engine.threads import in_thread
from dataspine.engine.timetable import Timetable
from dataspine.engine.worker import Bench, work
from dataspine.errors import BusyError, DataspineError, LeaseLost, StorageFull
from dataspine.scheduling.scheduler import Ticker
from dataspine.schemas.job import JobState, Lane
from dataspine.store import jobs
from dataspine.store.jobs import Wanted
from dataspine.store.lease import HEARTBEAT_S
from dataspine.store.workspace import open_for_reading

if TYPE_CHECKING:
    from dataspine.engine.build import EngineSetup
    from dataspine.pipeline.spine import Spine
    from dataspine.store.database import Database

SLOTS = 4
"""Slices in hand at once, each of another source."""
LIVE_SLOTS = 1
"""Slots more for live slices alone, so that backfills never keep them waiting."""
POLL_S = 0.2
"""How often it is seen that another process has committed something."""
CALENDARS_S = 5.0
"""How often it is seen that a calendar was refreshed or overridden."""
FINISH_S = 4.0
"""How long slices in hand may finish once the engine is to stop; then they go back at their next safe point."""
ABANDON_S = 8.0
"""When those that reach none are left behind, fenced off."""

Result = TypeVar("Result")
Look = Callable[[str], Awaitable[None]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineEnd:
    """How an engine ended."""

    token: int
    worst_stall_s: float
    abandoned: int
    """Slices whose threads were left behind: they wait on something that cannot be interrupted."""


class Engine:
    """Works on every job and schedule of a workspace, or on one job alone, until it is stopped or done."""

    def __init__(
        self, setup: EngineSetup, *, only_job: int | None = None, audit_log: Path | None = None
    ) -> None:
        self._setup = setup
        self._only_job = only_job
        self._audit_log = audit_log
        self._bench = Bench(setup)
        self._in_hand: dict[tuple[int, int], Task] = {}
        self._idle_spines: list[Spine] = []
        self._background: set[asyncio.Task[None]] = set()
        self._failure: DataspineError | None = None
        self._stop_asked_s: float | None = None
        self._is_held_up = False
        """Whether something could not be written: nothing is claimed before the next heartbeat succeeds."""
        self._next_due_us: int | None = None
        self._wake = asyncio.Event()
        self._desk = asyncio.Lock()
        """One thread at a time at the connection of the tenure."""

    def stop(self) -> None:
        """Claim nothing more, let slices in hand finish for a few seconds, then end; call it in the loop."""
        if self._stop_asked_s is None:
            self._stop_asked_s = self._setup.clock.monotonic_s()
            self._bench.draining.set()
            _log.info("engine_stopping", extra={"in_hand": len(self._in_hand)})
            self._wake.set()

    async def run(self) -> EngineEnd:
        """Take the lease, work, give it back.

        Raises: BusyError if another engine holds the lease; LeaseLost; ConfigError; StorageError.
        """
        self._tenure = await in_thread(partial(Tenure, self._setup))
        stalls = StallMeter(self._setup.clock, lambda: bool(self._in_hand))
        ticker: Ticker | None = None
        try:
            lost = await self._at_desk(self._tenure.take_over)
            _log.info("engine_started", extra={"token": self._tenure.token, "put_back": lost})
            if self._only_job is None:
                ticker = await self._timetable_kept()
            for coroutine in (self._beats(), stalls.measure()):
                self._begin(coroutine)
            with open_for_reading(self._setup.home) as watch:
                await self._work(watch)
        except BaseException:
            self._close(ticker)
            self._tenure.abandon()
            raise
        abandoned = len(self._in_hand)
        self._close(ticker)
        await self._at_desk(partial(self._tenure.end, last=self._mirror))
        worst_ms = round(stalls.worst_s * 1000, 1)
        _log.info("engine_stopped", extra={"worst_stall_ms": worst_ms, "abandoned": abandoned})
        return EngineEnd(self._tenure.token, stalls.worst_s, abandoned)

    async def _work(self, watch: Database) -> None:
        """Claim whatever may be tried until there is nothing to stay for."""
        while True:
            if self._failure is not None:
                raise self._failure
            if self._stop_asked_s is None and not self._is_held_up:
                await self._safely(self._fill())
            if await self._is_over(watch):
                return
            await self._until_something_happens(watch)

    async def _fill(self) -> None:
        """Put a slice into every free hand."""
        while len(self._in_hand) < SLOTS + LIVE_SLOTS and self._stop_asked_s is None:
            task = await self._at_desk(self._claim)
            if task is None:
                return
            self._in_hand[task.job.job_id, task.slice.slice_no] = task
            self._begin(self._carry_out(task))

    def _claim(self) -> Task | None:
        connection = self._tenure.spine.workspace.database.connection
        resting = left_alone(connection, self._setup)
        busy = frozenset(task.source for task in self._in_hand.values())
        last_lane = Lane.BACKFILL if len(self._in_hand) < SLOTS else Lane.LIVE
        wanted = Wanted(busy | resting.keys(), self._only_job, last_lane)
        task = claim(
            self._tenure.spine,
            wanted,
            token=self._tenure.token,
            also=lambda tx, source: note_attempt(tx, self._setup, source),
        )
        if task is None:
            now_us = self._setup.clock.now_us()
            waits = [jobs.next_wait_us(connection, now_us=now_us, job_id=self._only_job), *resting.values()]
            self._next_due_us = min((wait for wait in waits if wait is not None), default=None)
        return task

    async def _carry_out(self, task: Task) -> None:
        """One slice in a thread of its own."""
        spine = self._idle_spines.pop() if self._idle_spines else None

        def carry_out() -> Spine:
            bench_spine = spine or self._tenure.fenced_spine()
            work(self._bench, bench_spine, task)
            return bench_spine

        try:
            await self._safely(self._kept(carry_out))
        finally:
            del self._in_hand[task.job.job_id, task.slice.slice_no]
            self._wake.set()

    async def _kept(self, carry_out: Callable[[], Spine]) -> None:
        self._idle_spines.append(await in_thread(carry_out))

    async def _beats(self) -> None:
        """Keep the lease; what could not be written before is put right once something can be written again."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._safely(self._beat())

    async def _beat(self) -> None:
        await self._at_desk(self._tenure.beat)
        await self._at_desk(self._tenure.anchor_if_due)
        await self._at_desk(self._mirror)
        if self._is_held_up:
            in_hand = set(self._in_hand)
            await self._at_desk(partial(self._tenure.put_back_lost, in_hand=in_hand))
            self._is_held_up = False
            self._wake.set()

    def _mirror(self) -> None:
        """Append new audit events to the file that was named for them."""
        if self._audit_log is not None:
            connection = self._tenure.spine.workspace.database.connection
            mirror(connection, self._audit_log, after=self._tenure.first_event - 1)

    async def _timetable_kept(self) -> Ticker:
        """Look at every source now, and again whenever it is due or a calendar has changed."""
        timetable = await self._at_desk(
            partial(Timetable, self._setup, self._tenure.spine, before=self._tenure.before)
        )

        async def look(source: str) -> None:
            await self._safely(self._look(timetable, source))

        ticker = Ticker(look, clock=self._setup.clock)
        await self._look_at_all(timetable, ticker, look)
        ticker.start()
        self._begin(self._calendars_watched(timetable, ticker, look))
        return ticker

    async def _look_at_all(self, timetable: Timetable, ticker: Ticker, look: Look) -> None:
        for source, schedule in timetable.schedules.items():
            ticker.add(source, schedule)
            await look(source)

    async def _calendars_watched(self, timetable: Timetable, ticker: Ticker, look: Look) -> None:
        """Go by a calendar's new hours within seconds of its change."""
        while True:
            await asyncio.sleep(CALENDARS_S)
            if await self._at_desk(timetable.refresh):
                _log.info("calendars_changed")
                await self._look_at_all(timetable, ticker, look)

    async def _look(self, timetable: Timetable, source: str) -> None:
        try:
            queued = await self._at_desk(partial(timetable.look, source))
        except OutsideCalendar as error:
            # The others go on; `sessions refresh` cures it.
            _log.error("look_failed", extra={"source": source, "error": str(error)})
            return
        if queued:
            self._wake.set()

    async def _safely(self, doing: Awaitable[None]) -> None:
        """Carry on where a later try can help, end the engine where it cannot."""
        try:
            await doing
        except (LeaseLost, DataspineError) as error:
            is_passing = isinstance(error, BusyError | StorageFull) and not isinstance(error, LeaseLost)
            _log.warning("write_failed", extra={"error": str(error), "is_passing": is_passing})
            if is_passing:
                self._is_held_up = True
            else:
                self._failure = self._failure or error
            self._wake.set()

    async def _at_desk(self, function: Callable[[], Result]) -> Result:
        async with self._desk:
            return await in_thread(function)

    def _begin(self, coroutine: Awaitable[None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _is_over(self, watch: Database) -> bool:
        """Whether nothing is left to stay for."""
        if self._stop_asked_s is not None:
            return not self._in_hand or self._has_waited_long_enough(self._stop_asked_s)
        if self._only_job is None or self._in_hand:
            return False
        job = jobs.find(watch.connection, self._only_job)
        return job is None or job.state in ENDED or job.state is JobState.PAUSED

    def _has_waited_long_enough(self, stop_asked_s: float) -> bool:
        waited_s = self._setup.clock.monotonic_s() - stop_asked_s
        if waited_s >= FINISH_S:
            self._bench.stopping.set()
        return waited_s >= ABANDON_S

    async def _until_something_happens(self, watch: Database) -> None:
        """Wait for a slice's end, another process's commit, or the time of a slice that waits."""
        seen = data_version(watch)
        while not self._wake.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL_S)
            is_due = self._next_due_us is not None and self._setup.clock.now_us() >= self._next_due_us
            if is_due or self._stop_asked_s is not None or data_version(watch) != seen:
                break
        self._wake.clear()

    def _close(self, ticker: Ticker | None) -> None:
        for task in tuple(self._background):
            task.cancel()
        if ticker is not None:
            self._background.add(asyncio.ensure_future(ticker.stop()))


def data_version(database: Database) -> int:
    """A number that changes when another connection has committed; costs microseconds."""
    row = database.one("PRAGMA data_version")
    return int(row[0]) if row else 0
