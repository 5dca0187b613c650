"""Backfills as an operator asks for them: planned and frozen, started unless the world has moved since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from dataspine.errors import RequestError
from dataspine.schemas.job import JobKind, Lane, NewJob, NewSlice

if TYPE_CHECKING:
    from dataspine.calendars.lookup import Calendar, Session
    from dataspine.pipeline.spine import Spine
    from dataspine.scheduling.plan import HeldSession, Plan, Versions
    from dataspine.schemas.job import Job
    from dataspine.schemas.source import SourceProfile
    from dataspine.service.desk import Desk
    from dataspine.store.plans import PastSlice
    from dataspine.store.sqlite import Connection

ID_CHARS_MIN = 6
"""A plan may be named by so many characters of its id."""
UTC_DAYS = "UTC days"
"""Stands for a calendar's version where a source has none."""


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """What an operator asks for."""

    source: str
    start: str
    """First day, ISO 8601."""
    end: str
    """Last day, included."""
    mode: str = "gaps"
    """`gaps`, `reingest` or `shadow`."""
    symbols: tuple[str, ...] = ()
    """Fewer symbols than the source's own."""


@dataclass(frozen=True, slots=True)
class Started:
    """A backfill that was asked for."""

    plan: Plan
    job_id: int | None
    """None where nothing needs to be done."""
    moves: tuple[str, ...] = ()
    """What had moved since the plan; only where a new plan was allowed to take its place."""


def can_be_backfilled(profile: SourceProfile) -> bool:
    """Whether a source can be asked for single days."""
    from dataspine.engine.partition import has_day

    return has_day(profile)


def plan_backfill(desk: Desk, request: BackfillRequest) -> Plan:
    """Plan a backfill and keep the plan; nothing is fetched.

    Raises: RequestError, ConfigError, StorageError.
    """
    with desk.acting() as spine:
        plan = _planned(desk, spine.workspace.database.connection, request)
        _keep(spine, plan, request)
    return plan


def preview_backfill(desk: Desk, request: BackfillRequest) -> Plan:
    """The same plan, nothing kept; needs a workspace.

    Raises: RequestError, ConfigError, StorageError.
    """
    with desk.reading() as database:
        return _planned(desk, database.connection, request)


def start_backfill(
    desk: Desk,
    plan_id: str | None = None,
    *,
    request: BackfillRequest | None = None,
    allow_new_plan: bool = False,
) -> Started:
    """Queue a plan that was made before, or a request at once.

    A plan whose job is not over yet is not queued again: that job is the answer.
    Raises: RequestError if there is no such plan, or the world has moved since and no new plan may take its place;
    ConfigError, StorageError.
    """
    from dataspine.scheduling.plan import moved

    with desk.acting() as spine:
        connection = spine.workspace.database.connection
        old = None
        if plan_id is not None:
            old, request = _kept(connection, plan_id)
            job = _open_job(connection, old.plan_id)
            if job is not None:
                return Started(old, job.job_id)
        if request is None:
            raise RequestError("a backfill needs a plan, or a source and a range", found="neither")
        plan = _planned(desk, connection, request)
        moves = tuple(moved(old, plan)) if old is not None and old.plan_id != plan.plan_id else ()
        if moves and not allow_new_plan:
            raise RequestError(
                "the world has moved since this plan was made",
                found="; ".join(moves),
                where=f"plan {plan_id}",
                cure="Look at it; --replan goes on with a new plan",
            )
        _keep(spine, plan, request)
        return Started(plan, _queued(desk, spine, plan, request), moves)


def held_sessions(
    connection: Connection, source: str, sessions: tuple[Session, ...], *, symbols: tuple[str, ...]
) -> dict[str, HeldSession]:
    """What the store has of sessions, by date: their newest slice of any backfill."""
    from dataspine.scheduling.plan import HeldSession, Versions
    from dataspine.store import jobs, plans

    if not sessions:
        return {}
    first, last = sessions[0].day.isoformat(), sessions[-1].day.isoformat()
    past = plans.past_slices(connection, source, first, last)
    requests: dict[int, dict[str, Any]] = {}
    hours: dict[int, dict[str, tuple[int, int]]] = {}
    for job_id in {piece.job_id for piece in past}:
        job = jobs.find(connection, job_id)
        requests[job_id] = {} if job is None else json.loads(job.request_json)
        hours[job_id] = {} if job is None else _hours(connection, job)

    def held(piece: PastSlice) -> HeldSession:
        request = requests[piece.job_id]
        return HeldSession(
            piece.state,
            Versions(**request["versions"]),
            hours[piece.job_id].get(piece.partition),
            piece.rows_read,
            piece.digest,
            tuple(sorted(set(symbols) - set(request["symbols"]))),
        )

    return {piece.partition: held(piece) for piece in past}


def _planned(desk: Desk, connection: Connection, request: BackfillRequest) -> Plan:
    from dataspine.engine.partition import has_symbol
    from dataspine.scheduling import plan as plans
    from dataspine.store import sessions as calendars

    profile = desk.profile(request.source)
    if not can_be_backfilled(profile):
        raise RequestError(
            "this source cannot be asked for single days",
            found=profile.url or profile.path,
            where=f"sources.{profile.name}",
            cure="Put {date} into its path, url or http.params: docs/howto/backfill.md",
        )
    calendar = calendars.calendar_in_force(connection, profile.calendar) if profile.calendar else None
    sessions = _sessions(calendar, _day(request.start, "--start"), _day(request.end, "--end"))
    symbols = tuple(request.symbols or (profile.symbols if has_symbol(profile) else ()))
    return plans.plan_backfill(
        profile,
        sessions,
        held_sessions(connection, profile.name, sessions, symbols=symbols),
        versions=_versions(profile, calendar),
        mode=_mode(request.mode),
        symbols=request.symbols,
    )


def _sessions(calendar: Calendar | None, first: date, last: date) -> tuple[Session, ...]:
    from dataspine.scheduling.plan import utc_days

    if first > last:
        raise RequestError("--start must not be after --end", found=f"{first} and {last}")
    return utc_days(first, last) if calendar is None else calendar.sessions_between(first, last)


def _versions(profile: SourceProfile, calendar: Calendar | None) -> Versions:
    from dataspine.pipeline.spine import code_version, profile_text
    from dataspine.scheduling.plan import Versions

    version = UTC_DAYS if calendar is None else calendar.version
    return Versions(profile_text(profile)[1], code_version(), version)


def _mode(text: str) -> Any:
    from dataspine.scheduling.plan import BackfillMode

    try:
        return BackfillMode(text)
    except ValueError as error:
        names = ", ".join(BackfillMode)
        raise RequestError("--mode must be one of " + names, found=text) from error


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise RequestError(
            f"{option} must be a day", found=text or "nothing", cure="Write it like 2026-01-09"
        ) from error


def _keep(spine: Spine, plan: Plan, request: BackfillRequest) -> None:
    from dataspine.scheduling.plan import plan_text
    from dataspine.schemas.audit_event import EventType, NewEvent
    from dataspine.store import plans

    stored = plans.StoredPlan(plan.plan_id, plan.source, json.dumps(asdict(request)), plan_text(plan))
    with spine.workspace.database.transaction() as tx:
        if plans.insert(tx, stored, now_us=spine.clock.now_us()):
            metadata = {**asdict(request), "slices": len(plan.slices), "requests": plan.requests}
            event = NewEvent(EventType.BACKFILL_PLANNED, "plan", plan.plan_id, metadata=metadata)
            spine.record(tx, event)


def _kept(connection: Connection, plan_id: str) -> tuple[Plan, BackfillRequest]:
    """A plan that was made before, and what was asked for."""
    from dataspine.scheduling.plan import plan_from_text
    from dataspine.store import plans

    found = plans.find(connection, plan_id) if len(plan_id) >= ID_CHARS_MIN else []
    if len(found) != 1:
        raise RequestError(
            "there are several plans whose id begins so" if found else "there is no such plan",
            found=plan_id,
            cure=f"Give {ID_CHARS_MIN} characters of the id or more; `dataspine backfill plan` makes one",
        )
    asked: Mapping[str, Any] = json.loads(found[0].request_json)
    request = BackfillRequest(**{**asked, "symbols": tuple(asked["symbols"])})
    return plan_from_text(found[0].plan_json), request


def _open_job(connection: Connection, plan_id: str) -> Job | None:
    from dataspine.schemas.job import OPEN_JOBS
    from dataspine.store import jobs

    return next((job for job in jobs.of_plan(connection, plan_id) if job.state in OPEN_JOBS), None)


def _queued(desk: Desk, spine: Spine, plan: Plan, request: BackfillRequest) -> int | None:
    """The job of a plan; None where there is nothing to do."""
    from dataspine.engine.requests import queue

    if not plan.slices:
        return None
    profile = desk.profile(plan.source)
    # The profile travels with the job: a plan is worked on as it was made, whatever is configured meanwhile.
    asked = {
        **asdict(request),
        "symbols": list(plan.symbols),
        "versions": asdict(plan.versions),
        "profile": profile.model_dump(mode="json", by_alias=True),
    }
    slices = tuple(NewSlice(piece.partition, str(piece.why)) for piece in plan.slices)
    new = NewJob(
        plan.plan_id, JobKind.BACKFILL, plan.source, Lane.BACKFILL, json.dumps(asked, sort_keys=True), slices
    )
    with spine.workspace.database.transaction() as tx:
        return queue(spine, tx, new)


def _hours(connection: Connection, job: Job) -> dict[str, tuple[int, int]]:
    """Open and close of each session as a job's plan had them."""
    from dataspine.scheduling.plan import plan_from_text
    from dataspine.store import plans

    found = plans.find(connection, job.plan_id)
    if not found:
        return {}
    plan = plan_from_text(found[0].plan_json)
    return {piece.partition: (piece.open_us, piece.close_us) for piece in plan.slices}
