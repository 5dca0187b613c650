"""The timetable: what of each source was due since the last look, written down and queued, each instant once."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from dataspine.calendars.lookup import OutsideCalendar
from dataspine.clock import iso_from_us
from dataspine.engine.requests import queue
from dataspine.scheduling.triggers import Schedule, due, next_fire, schedule_from_profile, seen_after
from dataspine.schemas.audit_event import EventType, NewEvent
from dataspine.schemas.job import JobKind, Lane, NewJob, NewSlice, OccurrenceState
from dataspine.store import jobs, occurrences, sessions
from dataspine.store.occurrences import Occurrence

if TYPE_CHECKING:
    from dataspine.engine.build import EngineSetup
    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.job import Lease
    from dataspine.store.sqlite import Connection

DUE = "due"
EVENTS = {
    OccurrenceState.FIRED: EventType.OCCURRENCE_FIRED,
    OccurrenceState.LATE: EventType.OCCURRENCE_LATE,
    OccurrenceState.MISSED: EventType.OCCURRENCE_MISSED,
    OccurrenceState.SKIPPED: EventType.OCCURRENCE_SKIPPED,
    OccurrenceState.OVERLAPPED: EventType.OCCURRENCE_OVERLAPPED,
}
_RUNS = (OccurrenceState.FIRED, OccurrenceState.LATE)


class Timetable:
    """Schedules of every source that has one, and up to when each was looked at."""

    def __init__(self, setup: EngineSetup, spine: Spine, *, before: Lease | None) -> None:
        self._setup = setup
        self._spine = spine
        self._seen_us: dict[str, int] = {}
        self._told_us: dict[str, int | None] = {}
        self._calendars_seen: tuple[int, ...] | None = None
        self.schedules: dict[str, Schedule] = {}
        self.refresh()
        now_us = setup.clock.now_us()
        self._alive_us = now_us if before is None else min(before.heartbeat_us, now_us)
        for source in self.schedules:
            self._seen_us[source] = self._last_seen_us(source)
        self._forget_unscheduled()

    def refresh(self) -> bool:
        """Read the schedules anew if a calendar was refreshed or overridden; whether it was.

        Raises: ConfigError for a schedule that is not understood.
        """
        connection = self._spine.workspace.database.connection
        state = sessions.state_of_calendars(connection)
        if state == self._calendars_seen:
            return False
        self._calendars_seen = state
        for name, profile in self._setup.profiles.items():
            calendar = None
            if profile.schedule and profile.calendar:
                calendar = sessions.calendar_in_force(connection, profile.calendar)
            schedule = schedule_from_profile(profile, calendar)
            if schedule is not None:
                self.schedules[name] = schedule
        return True

    def look(self, source: str) -> int:
        """Deal with everything that was due since the last look at a source; how many jobs were queued.

        Raises: OutsideCalendar, LeaseLost, BusyError, StorageError; nothing was dealt with then.
        """
        now_us, seen_us = self._setup.clock.now_us(), self._seen_us[source]
        policy = self._setup.profile(source).catch_up
        found = due(self.schedules[source], seen_us, now_us, policy)
        queued = 0
        if found:
            with self._spine.workspace.database.transaction() as tx:
                is_open = jobs.has_open_live(tx, source)
                for planned_us, state in found:
                    # Every fire that is to be caught up has its own job, behind the others of its source.
                    is_blocked = is_open and not (policy == "all" and state is OccurrenceState.LATE)
                    has_run = self._note(tx, source, planned_us, state, is_blocked=is_blocked)
                    is_open, queued = is_open or has_run, queued + has_run
        self._seen_us[source] = seen_after(seen_us, now_us, found)
        self._tell_next(source)
        return queued

    def _tell_next(self, source: str) -> None:
        """Let those who look know when a source is due next."""
        try:
            planned_us = next_fire(self.schedules[source], self._seen_us[source])
        except OutsideCalendar:
            planned_us = None
        if self._told_us.get(source) != planned_us:
            with self._spine.workspace.database.transaction() as tx:
                occurrences.save_next(tx, source, planned_us)
            self._told_us[source] = planned_us

    def _forget_unscheduled(self) -> None:
        connection = self._spine.workspace.database.connection
        gone = occurrences.next_fires(connection).keys() - self.schedules.keys()
        if gone:
            with self._spine.workspace.database.transaction() as tx:
                for source in gone:
                    occurrences.save_next(tx, source, None)

    def _last_seen_us(self, source: str) -> int:
        """The newest instant of a source that was dealt with, else when an engine lived last."""
        newest = occurrences.newest(self._spine.workspace.database.connection, source)
        return self._alive_us if newest is None else newest.planned_us

    def _note(
        self,
        tx: Connection,
        source: str,
        planned_us: int,
        state: OccurrenceState,
        *,
        is_blocked: bool,
    ) -> bool:
        """Write an occurrence down, with its job if it is to run; whether it runs."""
        if occurrences.is_known(tx, source, planned_us):
            return False
        if state in _RUNS and is_blocked:
            state = OccurrenceState.OVERLAPPED
        job_id = None
        if state in _RUNS:
            job_id = queue(self._spine, tx, live_job(source, planned_us))
        occurrences.insert(tx, Occurrence(source, planned_us, state, self._setup.clock.now_us(), job_id))
        planned_at = iso_from_us(planned_us)
        metadata = {"planned_at": planned_at, "job_id": job_id}
        self._spine.record(
            tx,
            NewEvent(EVENTS[state], "occurrence", f"{source} {planned_at}", None, state, metadata),
        )
        return job_id is not None


def live_job(source: str, planned_us: int) -> NewJob:
    """One look at a source, as it was due at an instant."""
    planned_at = iso_from_us(planned_us)
    request = json.dumps({"source": source, "planned_at": planned_at}, sort_keys=True)
    plan_id = sha256(request.encode()).hexdigest()
    return NewJob(plan_id, JobKind.INGEST, source, Lane.LIVE, request, (NewSlice(planned_at, DUE),))
