"""Closures and hours that an operator lays over a calendar, with times as the exchange's own clock shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from dataspine.calendars.lookup import US_PER_MINUTE, Calendar, Session, midnight_us
from dataspine.errors import RequestError

_WALL_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00", re.ASCII)
_MINUTES_PER_DAY = 1440


@dataclass(frozen=True, slots=True)
class SessionOverride:
    """An operator's word on one date, in force until it is undone."""

    override_id: int
    calendar: str
    day: date
    session: Session | None
    """None where the exchange is closed."""
    reason: str
    created_at_us: int
    undone_at_us: int | None = None


def with_overrides(calendar: Calendar, overrides: Iterable[SessionOverride]) -> Calendar:
    """The calendar with overrides laid over it in their order: the last one on a date stands.

    One on a date that the calendar does not cover says nothing about the dates that it does, and is left out.
    Raises: RequestError if an override's hours run into a neighbour's.
    """
    sessions = {session.day: session for session in calendar.sessions}
    for override in overrides:
        if not calendar.first_day <= override.day <= calendar.last_day:
            continue
        if override.session is None:
            sessions.pop(override.day, None)
        else:
            sessions[override.day] = override.session
    try:
        return replace(calendar, sessions=tuple(sessions[day] for day in sorted(sessions)))
    except ValueError as error:
        raise RequestError(
            f"the hours of an override do not fit among the other sessions ({error})",
            cure="Give other hours, or take an override back with `dataspine sessions undo`",
        ) from error


def session_at(calendar: Calendar, day: date, opens: str | None, closes: str | None) -> Session:
    """The session of a date with other hours, `HH:MM` on the exchange's own clock.

    The close is on the date; an open that is not earlier than the close is on the evening before. `24:00` ends the
    date. A time that is not given is the scheduled one. The usual lunch break stays where the hours enclose it.

    Raises: RequestError for times that cannot be; OutsideCalendar.
    """
    scheduled = calendar.session(day) if calendar.is_session(day) else None
    zone = ZoneInfo(calendar.zone)
    close_us = _given_us(day, closes, scheduled.close_us if scheduled else None, zone=zone, option="--close")
    open_us = _given_us(day, opens, scheduled.open_us if scheduled else None, zone=zone, option="--open")
    if open_us >= close_us and opens is not None:
        open_us = _wall_us(day - timedelta(days=1), _wall_minute(opens, option="--open"), zone=zone)
    if open_us >= close_us:
        raise RequestError(
            "the close must be later than the open",
            found=closes,
            where=f"{calendar.name}, {day}",
            cure="Give --open too",
        )
    usual = _usual_session(calendar, day)
    session = _with_break(Session(day, open_us, close_us), usual, zone=zone)
    return session._replace(is_half_day=session.open_minutes < usual.open_minutes)


def hours_text(session: Session, zone_name: str) -> str:
    """When a session is open as the exchange's clock shows it, e.g. `09:30-12:00, 13:00-16:00`."""
    zone = ZoneInfo(zone_name)
    return ", ".join(
        f"{_wall_text(_wall_of(start, session.day, zone))}-{_wall_text(_wall_of(end, session.day, zone))}"
        for start, end in session.windows
    )


def _wall_text(minute: int) -> str:
    if minute == _MINUTES_PER_DAY:
        return "24:00"
    days, within = divmod(minute, _MINUTES_PER_DAY)
    return f"{within // 60:02}:{within % 60:02}" + (" the day before" if days < 0 else "")


def _given_us(day: date, text: str | None, scheduled_us: int | None, *, zone: ZoneInfo, option: str) -> int:
    if text is not None:
        return _wall_us(day, _wall_minute(text, option=option), zone=zone)
    if scheduled_us is None:
        raise RequestError(
            f"no session is scheduled, so {option} must be given", found="none", where=str(day)
        )
    return scheduled_us


def _wall_minute(text: str, *, option: str) -> int:
    if not _WALL_TIME.fullmatch(text):
        raise RequestError(
            f"{option} must be a time of day",
            found=text,
            cure="Write it like 09:30, on the exchange's own clock",
        )
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def _wall_us(day: date, minute: int, *, zone: ZoneInfo) -> int:
    """The instant at which the exchange's clock shows a minute of a date.

    Raises: RequestError if the clock skips that minute.
    """
    days, within = divmod(minute, _MINUTES_PER_DAY)
    wall = datetime(day.year, day.month, day.day, within // 60, within % 60, tzinfo=zone) + timedelta(
        days=days
    )
    instant = wall.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != wall.replace(tzinfo=None):
        raise RequestError("clocks skip this time", found=wall.replace(tzinfo=None), where=str(zone))
    return midnight_us(instant.date()) + (instant.hour * 60 + instant.minute) * US_PER_MINUTE


def _wall_of(instant_us: int, day: date, zone: ZoneInfo) -> int:
    """Minute of a date that the exchange's clock shows at an instant of it."""
    wall = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant_us)).astimezone(zone)
    return (wall.date() - day).days * _MINUTES_PER_DAY + wall.hour * 60 + wall.minute


def _usual_session(calendar: Calendar, day: date) -> Session:
    """The nearest full session at or before a date, else the first one after it."""
    full = [session for session in calendar.sessions if not session.is_half_day]
    earlier = [session for session in full if session.day <= day]
    return earlier[-1] if earlier else full[0]


def _with_break(session: Session, usual: Session, *, zone: ZoneInfo) -> Session:
    """The session with the usual break, if its hours enclose it.

    Raises: RequestError if it opens or closes during the break, where nobody trades.
    """
    if usual.break_start_us is None or usual.break_end_us is None:
        return session
    start_us, end_us = (
        _wall_us(session.day, _wall_of(edge, usual.day, zone), zone=zone)
        for edge in (usual.break_start_us, usual.break_end_us)
    )
    if start_us < session.open_us < end_us or start_us < session.close_us < end_us:
        raise RequestError(
            "the exchange neither opens nor closes during its lunch break",
            where=str(session.day),
            cure="Give the break's start as the close, or its end as the open",
        )
    if session.open_us < start_us and end_us < session.close_us:
        return session._replace(break_start_us=start_us, break_end_us=end_us)
    return session
