"""When a source is due: cron in its own zone, or offsets from the sessions of its exchange; decided without a clock.

Every interval is open at its start and closed at its end: a fire belongs to the look that reaches it, and to no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from heapq import heappop, heappush
from itertools import chain, islice, takewhile
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from dataspine.calendars.lookup import Calendar, Session
from dataspine.clock import datetime_from_us, us_from_datetime
from dataspine.errors import ConfigError
from dataspine.schemas.job import OccurrenceState
from dataspine.schemas.source import SourceProfile

CatchUp = Literal["skip", "latest", "all"]

GRACE_S = 60
"""A fire that is seen this much after its time, or less, is in time."""
DUE_MAX = 1_000
"""Fires that one look returns; the next look goes on behind them."""
REPEAT_MAX_S = 60
"""A clock that goes back by no more than this fires nothing twice; after a larger step the schedule goes on."""
MAX_OFFSET_S = 86_400
"""How far from the open or the close a session offset may lie."""

_MAX_TEXT_CHARS = 200
_US_PER_S = 1_000_000
_UNITS_S = {"s": 1, "m": 60, "h": 3_600}
_EDGE = re.compile(r"(open|close)(?: ?([+-]) ?([0-9]{1,5})([smh]))?")
_EVERY = re.compile(r"every ([0-9]{1,5})([smh]) in session")
_SESSION_WORD = re.compile(r"\b(open|close|every|session)")
_CRON_FIELDS = 5
# A session ends at most a day after its date, and an offset reaches at most a day further.
_REACH = timedelta(days=3)
_PROBE = datetime(2026, 1, 1, tzinfo=UTC)
_UNDERSTOOD = (
    "Write cron with five fields, such as `*/5 9-16 * * 1-5` (1-5 is Monday to Friday), or session offsets, such as "
    "`open+5m`, `close+20m`, `close-10m`, `every 15m in session` (units s, m, h; several with commas between)"
)


@dataclass(frozen=True, slots=True)
class EdgeOffset:
    """So long after, or before, each open or each close."""

    edge: Literal["open", "close"]
    offset_us: int

    def instants(self, session: Session) -> Iterator[int]:
        """The one instant in a session's day."""
        yield (session.open_us if self.edge == "open" else session.close_us) + self.offset_us


@dataclass(frozen=True, slots=True)
class EveryInterval:
    """At each open and every so often until the close; again from the end of a lunch break."""

    interval_us: int

    def instants(self, session: Session) -> Iterator[int]:
        """The instants at which the session is open."""
        for start_us, end_us in session.windows:
            yield from range(start_us, end_us, self.interval_us)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is due. Made by `schedule_from_text`."""

    text: str
    zone: tzinfo
    """Of a cron schedule."""
    terms: tuple[EdgeOffset | EveryInterval, ...] = ()
    """Of a session schedule; none where the text is cron."""
    calendar: Calendar | None = None


class Occurrence(NamedTuple):
    """An instant at which something was due, and what is to become of it."""

    planned_us: int
    state: OccurrenceState
    """FIRED and LATE are to run, MISSED and SKIPPED are only to be written down."""


def schedule_from_profile(profile: SourceProfile, calendar: Calendar | None) -> Schedule | None:
    """The schedule of a source, or None if it has none. `calendar` is the profile's, overrides included.

    Raises: ConfigError.
    """
    if profile.schedule is None:
        return None
    return schedule_from_text(
        profile.schedule, zone=profile.schedule_zone, calendar=calendar, where=f"source {profile.name}"
    )


def schedule_from_text(
    text: str, *, zone: str = "UTC", calendar: Calendar | None = None, where: str | None = None
) -> Schedule:
    """What a schedule's text means; `zone` is that of cron, `calendar` that of session offsets.

    Raises: ConfigError that names what is understood.
    """
    plain = " ".join(text.lower().split())
    if len(plain) > _MAX_TEXT_CHARS:
        raise ConfigError(
            "schedule is too long", found=f"{len(plain)} characters", where=where, cure=_UNDERSTOOD
        )
    if not _SESSION_WORD.search(plain):
        place = _zone(zone, where)
        _check_cron(plain, text, where)
        return Schedule(plain, place)
    terms = tuple(_term(part.strip(), text, where) for part in plain.split(","))
    if calendar is None:
        raise ConfigError(
            "session offsets need a calendar",
            found=repr(text),
            where=where,
            cure='Name the exchange: calendar = "XNYS"',
        )
    return Schedule(plain, UTC, terms, calendar)


def next_fire(schedule: Schedule, after_us: int) -> int | None:
    """The first fire later than an instant; None if cron names no date of the next 50 years.

    Raises: OutsideCalendar if the sessions that would tell are not known.
    """
    return next(fires_after(schedule, after_us), None)


def fires_between(schedule: Schedule, start_us: int, end_us: int) -> tuple[int, ...]:
    """Every fire later than `start_us` and not later than `end_us`, in order.

    Raises: OutsideCalendar.
    """
    return tuple(takewhile(lambda fire_us: fire_us <= end_us, fires_after(schedule, start_us)))


def fires_after(schedule: Schedule, after_us: int) -> Iterator[int]:
    """Fires later than an instant, in order, each once.

    Raises: OutsideCalendar where the calendar ends.
    """
    found = _session_fires(schedule, after_us) if schedule.terms else _cron_fires(schedule, after_us)
    newest_us = after_us
    for fire_us in found:
        # Where clocks fall back, CronSim begins again with the first of two equal hours, which may be over.
        if fire_us > newest_us:
            newest_us = fire_us
            yield fire_us


def due(
    schedule: Schedule, last_seen_us: int | None, now_us: int, policy: CatchUp, *, grace_s: int = GRACE_S
) -> list[Occurrence]:
    """What was due since the last look, oldest first, at most `DUE_MAX`; None means that there was no look yet.

    A fire that is seen within the grace is FIRED. Of the others, `all` runs every one LATE, `latest` runs the newest
    LATE unless a newer one fires in time, and the rest are MISSED; with `skip` they are SKIPPED.

    Raises: OutsideCalendar.
    """
    if last_seen_us is None or last_seen_us >= now_us:
        return []
    passed = takewhile(lambda fire_us: fire_us <= now_us, fires_after(schedule, last_seen_us))
    fires = list(islice(passed, DUE_MAX + 1))
    newest_us = fires[-1] if fires else None
    in_time_us = now_us - grace_s * _US_PER_S
    return [
        Occurrence(fire_us, _state(policy, is_in_time=fire_us >= in_time_us, is_newest=fire_us == newest_us))
        for fire_us in fires[:DUE_MAX]
    ]


def seen_after(last_seen_us: int, now_us: int, occurrences: Sequence[Occurrence]) -> int:
    """From where the next look goes on, after a look at `now_us` found `occurrences`.

    That is now; the last fire found where there were too many for one look; and where the clock went back a little,
    where it stood before, so that nothing fires twice.
    """
    if len(occurrences) >= DUE_MAX:
        return occurrences[-1].planned_us
    if now_us < last_seen_us <= now_us + REPEAT_MAX_S * _US_PER_S:
        return last_seen_us
    return now_us


def _state(policy: CatchUp, *, is_in_time: bool, is_newest: bool) -> OccurrenceState:
    if is_in_time:
        return OccurrenceState.FIRED
    if policy == "skip":
        return OccurrenceState.SKIPPED
    return OccurrenceState.LATE if policy == "all" or is_newest else OccurrenceState.MISSED


def _cron_fires(schedule: Schedule, after_us: int) -> Iterator[int]:
    for fire in CronSim(schedule.text, datetime_from_us(after_us).astimezone(schedule.zone)):
        yield us_from_datetime(fire)


def _session_fires(schedule: Schedule, after_us: int) -> Iterator[int]:
    """Fires of one session after another, merged: an offset may reach past the next session's open."""
    offsets_us = [term.offset_us for term in schedule.terms if isinstance(term, EdgeOffset)]
    earliest_us = min([0, *offsets_us])
    pending: list[int] = []
    for session in _sessions_from(schedule, after_us):
        while pending and pending[0] < session.open_us + earliest_us:
            yield heappop(pending)
        for fire_us in _instants(schedule, session):
            if fire_us > after_us:
                heappush(pending, fire_us)


def _instants(schedule: Schedule, session: Session) -> Iterator[int]:
    return chain.from_iterable(term.instants(session) for term in schedule.terms)


def _sessions_from(schedule: Schedule, after_us: int) -> Iterator[Session]:
    """Sessions in order, from the first that may still fire later than an instant."""
    calendar = schedule.calendar
    if calendar is None:
        return
    day = datetime_from_us(after_us).date() - _REACH
    while True:
        session = calendar.session_after(day)
        yield session
        day = session.day


def _term(part: str, text: str, where: str | None) -> EdgeOffset | EveryInterval:
    if found := _EDGE.fullmatch(part):
        edge, sign, number, unit = found.groups()
        offset_s = int(number or 0) * _UNITS_S[unit or "s"]
        if offset_s > MAX_OFFSET_S:
            raise ConfigError("a session offset reaches at most a day", found=repr(part), where=where)
        signed_us = (-offset_s if sign == "-" else offset_s) * _US_PER_S
        return EdgeOffset("open" if edge == "open" else "close", signed_us)
    if found := _EVERY.fullmatch(part):
        interval_s = int(found[1]) * _UNITS_S[found[2]]
        if interval_s:
            return EveryInterval(interval_s * _US_PER_S)
    raise ConfigError("schedule is not understood", found=repr(text), where=where, cure=_UNDERSTOOD)


def _check_cron(plain: str, text: str, where: str | None) -> None:
    """Refuse cron that CronSim does not know, with seconds, or that never comes."""
    fields = plain.split(" ")
    problem = None
    if len(fields) != _CRON_FIELDS:
        problem = "schedule is not understood"
    else:
        try:
            if next(CronSim(plain, _PROBE), None) is None:
                problem = "schedule names a date that never comes"
        except (CronSimError, ValueError) as error:
            problem = f"schedule is not understood ({error})"
    if problem:
        raise ConfigError(problem, found=repr(text), where=where, cure=_UNDERSTOOD)


def _zone(name: str, where: str | None) -> tzinfo:
    # CronSim takes its quick way for this very object only.
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            "schedule_zone must be an IANA time zone",
            found=repr(name),
            where=where,
            cure="Write it like Europe/London",
        ) from error
