"""What a backfill would do: one slice a session, why each, and an id that changes with anything that decides it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from dataspine.calendars.lookup import US_PER_DAY, Session, midnight_us
from dataspine.errors import RequestError
from dataspine.schemas.job import SliceState

if TYPE_CHECKING:
    from dataspine.schemas.source import SourceProfile

MAX_SLICES = 100_000
"""Slices of one plan."""
MAX_MOVES = 20
"""Sessions that `moved` names one by one."""
_S_PER_MINUTE = 60.0


class BackfillMode(StrEnum):
    """What a backfill takes up."""

    GAPS = "gaps"
    """Sessions that are missing, failed, or were made by other settings, code or hours."""
    REINGEST = "reingest"
    """Every session, also those that stand."""
    SHADOW = "shadow"
    """Every session, fetched and compared; no canonical row is written."""


class Why(StrEnum):
    """Why a session is a slice of a plan."""

    MISSING = "missing"
    FAILED = "failed"
    STALE_CONFIG = "stale config"
    STALE_CODE = "stale code"
    STALE_CALENDAR = "stale calendar"
    FORCED = "forced"


@dataclass(frozen=True, slots=True)
class Versions:
    """With what a slice is, or was, made."""

    config_hash: str
    code_version: str
    calendar_version: str


@dataclass(frozen=True, slots=True)
class HeldSession:
    """What the store has of one session: its newest slice."""

    state: SliceState
    versions: Versions
    hours: tuple[int, int] | None = None
    """Open and close as they were for it; None where that is not known, and the calendar's version decides."""
    rows: int = 0
    """Records that it read."""
    digest: str | None = None
    missing_symbols: tuple[str, ...] = ()
    """Symbols of the plan that it was never asked for."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What is known of a source's speed; it shapes estimates, never the plan's id."""

    pages_per_request: float = 1.0
    request_s: float = 0.25
    """From question to answer, a page."""
    slice_s: float = 0.1
    """Judging and storing one session."""


@dataclass(frozen=True, slots=True)
class PlannedSlice:
    """One session of a plan."""

    partition: str
    """The session's date, ISO 8601."""
    open_us: int
    close_us: int
    why: Why
    held: HeldSession | None
    """What exists already."""
    requests: int
    """Pages that the vendor is expected to be asked for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A backfill, frozen: the same plan does the same work in the same order."""

    plan_id: str
    """SHA-256 of everything that decides it."""
    source: str
    mode: BackfillMode
    symbols: tuple[str, ...]
    """Symbols to ask for, sorted; none where the source is not asked by symbol."""
    versions: Versions
    sessions: tuple[tuple[str, int, int], ...]
    """Date, open and close of every session in the range, also of those that need nothing."""
    held: tuple[tuple[str, HeldSession], ...]
    """What the store has of them, in order."""
    slices: tuple[PlannedSlice, ...]
    requests: int
    vendor_s: float
    """Seconds of the vendor's allowance that the requests use up."""
    estimate_s: float
    """Time that all of it takes, one slice after the other, when nothing else runs."""


def plan_backfill(
    profile: SourceProfile,
    sessions: Iterable[Session],
    held: Mapping[str, HeldSession],
    *,
    versions: Versions,
    mode: BackfillMode = BackfillMode.GAPS,
    symbols: Sequence[str] = (),
    pace: Pace | None = None,
) -> Plan:
    """Decide which sessions of a source to fetch, oldest first.

    `held` is by date, `versions` are those in force, `symbols` narrow the profile's.

    Raises: RequestError if the source cannot be asked for single symbols, or the range is too long.
    """
    pace = pace or Pace()
    ordered = sorted(sessions, key=lambda session: session.day)
    if len(ordered) > MAX_SLICES:
        raise RequestError(
            f"a plan has at most {MAX_SLICES:,} sessions",
            found=f"{len(ordered):,}",
            cure="Plan a shorter range",
        )
    asked = _asked_symbols(profile, symbols)
    requests = _requests_per_slice(profile, asked, pace)
    slices = []
    for session in ordered:
        partition = session.day.isoformat()
        found = held.get(partition)
        why = _why(found, session, versions, mode)
        if why is not None:
            slices.append(PlannedSlice(partition, session.open_us, session.close_us, why, found, requests))
    request_s = max(_S_PER_MINUTE / profile.rate.per_minute, pace.request_s)
    draft = Plan(
        plan_id="",
        source=profile.name,
        mode=mode,
        symbols=asked,
        versions=versions,
        sessions=tuple((session.day.isoformat(), session.open_us, session.close_us) for session in ordered),
        held=tuple((day, held[day]) for session in ordered if (day := session.day.isoformat()) in held),
        slices=tuple(slices),
        requests=requests * len(slices),
        vendor_s=requests * len(slices) * _S_PER_MINUTE / profile.rate.per_minute,
        estimate_s=len(slices) * (requests * request_s + pace.slice_s),
    )
    return _identified(draft)


def utc_days(first: date, last: date) -> tuple[Session, ...]:
    """Every UTC day from `first` to `last`, both included: the sessions of a source without a calendar.

    Raises: RequestError if `first` is later than `last`.
    """
    if first > last:
        raise RequestError("the first day must not be after the last", found=f"{first} and {last}")
    days = map(date.fromordinal, range(first.toordinal(), last.toordinal() + 1))
    return tuple(Session(day, midnight_us(day), midnight_us(day) + US_PER_DAY) for day in days)


def plan_text(plan: Plan) -> str:
    """The plan as canonical JSON, for storing beside its job."""
    return _canonical(plan).decode()


def plan_from_text(text: str) -> Plan:
    """The plan that `plan_text` wrote.

    Raises: RequestError if it is none, or was changed.
    """
    import msgspec

    try:
        plan = msgspec.json.decode(text, type=Plan)
    except msgspec.MsgspecError as error:
        raise RequestError(
            f"this is no plan ({error})", cure="Make one with `dataspine backfill plan`"
        ) from error
    if _identified(plan).plan_id != plan.plan_id:
        raise RequestError("the plan was changed after it was made", found=plan.plan_id, cure="Plan again")
    return plan


def moved(old: Plan, new: Plan) -> list[str]:
    """What differs between a plan and the same request planned again, in words; nothing if they are the same.

    At most `MAX_MOVES` sessions are named.
    """
    settings = [
        ("source", old.source, new.source),
        ("mode", old.mode.value, new.mode.value),
        ("symbols", _listed(old.symbols), _listed(new.symbols)),
        ("configuration", old.versions.config_hash, new.versions.config_hash),
        ("code", old.versions.code_version, new.versions.code_version),
        ("calendar", old.versions.calendar_version, new.versions.calendar_version),
    ]
    moves = [f"{what} was {before}, is {now}" for what, before, now in settings if before != now]
    sessions = [*_moved_sessions(old, new), *_moved_holdings(old, new)]
    more = len(sessions) - MAX_MOVES
    return [*moves, *sessions[:MAX_MOVES], *([f"and {more:,} more sessions"] if more > 0 else [])]


def _why(held: HeldSession | None, session: Session, versions: Versions, mode: BackfillMode) -> Why | None:
    """Why a session is taken up, or None to leave it as it is."""
    if held is None or held.state not in (SliceState.SUCCEEDED, SliceState.FAILED):
        return Why.MISSING
    if held.state is SliceState.FAILED:
        return Why.FAILED
    if held.missing_symbols:
        return Why.MISSING
    if held.versions.config_hash != versions.config_hash:
        return Why.STALE_CONFIG
    if held.versions.code_version != versions.code_version:
        return Why.STALE_CODE
    if _has_other_hours(held, session, versions):
        return Why.STALE_CALENDAR
    return None if mode is BackfillMode.GAPS else Why.FORCED


def _has_other_hours(held: HeldSession, session: Session, versions: Versions) -> bool:
    """Whether the calendar says other hours now; a calendar that was only extended changes no session."""
    if held.hours is None:
        return held.versions.calendar_version != versions.calendar_version
    return held.hours != (session.open_us, session.close_us)


def _asked_symbols(profile: SourceProfile, symbols: Sequence[str]) -> tuple[str, ...]:
    url = profile.url or ""
    is_by_symbol = "{symbol}" in url or "{symbols}" in url
    if symbols and not is_by_symbol:
        raise RequestError(
            "this source cannot be asked for single symbols",
            found=_listed(tuple(symbols)),
            where=f"source {profile.name}",
            cure="Leave --symbols away: its url has no {symbol}",
        )
    return tuple(sorted(set(symbols or profile.symbols))) if is_by_symbol else ()


def _requests_per_slice(profile: SourceProfile, symbols: tuple[str, ...], pace: Pace) -> int:
    """Pages of one session: a request a symbol, or one for all of them; none for files."""
    if profile.url is None:
        return 0
    questions = len(symbols) if "{symbol}" in profile.url else 1
    return round(questions * max(pace.pages_per_request, 1.0))


def _identified(plan: Plan) -> Plan:
    """The plan with the id that its deciding parts have; estimates are none of them."""
    parts = {
        "source": plan.source,
        "mode": plan.mode,
        "symbols": plan.symbols,
        "versions": plan.versions,
        "sessions": plan.sessions,
        "held": plan.held,
        "slices": [(item.partition, item.why) for item in plan.slices],
    }
    return replace(plan, plan_id=hashlib.sha256(_canonical(parts)).hexdigest())


def _canonical(value: Any) -> bytes:
    import msgspec

    return msgspec.json.encode(value, order="sorted")


def _listed(symbols: tuple[str, ...]) -> str:
    if len(symbols) <= MAX_MOVES:
        return ", ".join(symbols) or "none"
    return ", ".join(symbols[:MAX_MOVES]) + f" and {len(symbols) - MAX_MOVES:,} more"


def _moved_sessions(old: Plan, new: Plan) -> list[str]:
    before = {day: hours for day, *hours in old.sessions}
    after = {day: hours for day, *hours in new.sessions}
    moves = []
    for day in sorted(before.keys() | after.keys()):
        if day not in after:
            moves.append(f"{day} is no session any more")
        elif day not in before:
            moves.append(f"{day} became a session")
        elif before[day] != after[day]:
            moves.append(f"{day} has other hours")
    return moves


def _moved_holdings(old: Plan, new: Plan) -> list[str]:
    before, after = dict(old.held), dict(new.held)
    shared = {day for day, *_ in old.sessions} & {day for day, *_ in new.sessions}
    return [
        f"{day} was {_held_text(before.get(day))}, is {_held_text(after.get(day))}"
        for day in sorted(shared)
        if before.get(day) != after.get(day)
    ]


def _held_text(held: HeldSession | None) -> str:
    if held is None:
        return "not there"
    facts = [held.state.value, f"{held.rows:,} records"]
    if held.digest:
        facts.append(f"digest {held.digest[:12]}")
    if held.missing_symbols:
        facts.append(f"without {_listed(held.missing_symbols)}")
    versions = held.versions
    made = f"{versions.config_hash[:12]}, {versions.code_version}, {versions.calendar_version[:12]}"
    return f"{' '.join(facts[:1])} ({', '.join(facts[1:])}, made with {made})"
