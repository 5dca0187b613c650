"""The engine as commands run it: until it is told to stop, or for one job when nobody else works."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.clock import machine_clock

if TYPE_CHECKING:
    from dataspine.engine.engine import EngineEnd
    from dataspine.schemas.job import Job, Lease
    from dataspine.service.desk import Desk

INTERRUPTED = 130
WATCH_S = 0.2
"""How often a job that another process works on is looked at."""


@dataclass(frozen=True, slots=True)
class EngineState:
    """Whether an engine works in a workspace."""

    lease: Lease | None
    is_alive: bool
    """It holds the lease and has given a sign of life lately, and its process exists."""
    beat_age_s: float | None
    """Since its newest sign of life."""


def run_engine(
    desk: Desk, *, only_job: int | None = None, schedule: str | None = None, audit_log: Path | None = None
) -> EngineEnd:
    """Run the engine in this process, until a signal stops it, or one job is over.

    The first SIGINT or SIGTERM lets slices in hand finish or go back, within 10 s; the second ends the process.
    `schedule` stands in for the sources' own; `audit_log` gets the audit events from now on as JSON lines.
    Raises: BusyError if another engine runs; LeaseLost, ConfigError, StorageError.
    """
    from dataspine.engine.build import build
    from dataspine.engine.engine import Engine

    async def main() -> EngineEnd:
        setup = build(desk.settings, desk.clock, schedule=schedule)
        engine = Engine(setup, only_job=only_job, audit_log=audit_log)
        _stop_on_signals(engine.stop)
        return await engine.run()

    return asyncio.run(main())


def engine_state(desk: Desk) -> EngineState:
    """Whether an engine works here.

    Raises: StorageError if there is no database.
    """
    from dataspine.store import lease

    with desk.reading() as database:
        standing = lease.read(database.connection)
    if standing is None or not standing.owner:
        return EngineState(standing, is_alive=False, beat_age_s=None)
    now_us = machine_clock(desk.clock).now_us()
    is_alive = lease.is_locked(desk.home) and not lease.is_expired(standing, now_us=now_us)
    return EngineState(standing, is_alive, max(now_us - standing.heartbeat_us, 0) / 1e6)


def finish_job(desk: Desk, job_id: int, *, on_look: Callable[[Job], None]) -> Job:
    """Wait for a job's end, or work on it here when no engine does; the job as it then stands.

    Raises: RequestError if there is no such job; LeaseLost, ConfigError, StorageError.
    """
    from dataspine.errors import BusyError, LeaseLost

    while True:
        if not engine_state(desk).is_alive:
            try:
                end = run_engine(desk, only_job=job_id)
            except LeaseLost:
                raise
            except BusyError:
                # An engine began at this very moment; it has the job now.
                pass
            else:
                del end
                return _job(desk, job_id)
        job = _watched(desk, job_id, on_look)
        if job is not None:
            return job


def _watched(desk: Desk, job_id: int, on_look: Callable[[Job], None]) -> Job | None:
    """The job once it is over or paused; None if its engine is gone before."""
    from dataspine.engine.jobs import ENDED
    from dataspine.schemas.job import JobState

    while True:
        job = _job(desk, job_id)
        on_look(job)
        if job.state in ENDED or job.state is JobState.PAUSED:
            return job
        if not engine_state(desk).is_alive:
            return None
        desk.clock.sleep_s(WATCH_S)


def _job(desk: Desk, job_id: int) -> Job:
    from dataspine.engine.requests import found

    with desk.reading() as database:
        return found(database.connection, job_id)


def _stop_on_signals(stop: Callable[[], None]) -> None:
    loop, seen = asyncio.get_running_loop(), []

    def on_signal(number: int) -> None:
        seen.append(number)
        if len(seen) > 1:
            # Nothing is lost: what was not committed never happened, and the system frees the lock.
            os._exit(INTERRUPTED)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
