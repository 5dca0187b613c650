"""Calendars for front ends: sessions as they stand, refreshing them, and overriding single dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.calendars.shipped import CALENDARS, file_name, shipped_calendar
from dataspine.clock import datetime_from_us, iso_from_us
from dataspine.errors import BusyError, RequestError

if TYPE_CHECKING:
    from dataspine.calendars.difference import CalendarDifference
    from dataspine.calendars.lookup import Calendar, Session
    from dataspine.calendars.overrides import SessionOverride
    from dataspine.pipeline.spine import Spine
    from dataspine.service.desk import Desk
    from dataspine.store.sqlite import Connection

YEARS_BACK, YEARS_FORWARD = 10, 1
"""What a refresh covers around this year; it never forgets what is in force already."""
_DAYS_AUDITED = 100
"""Dates of each kind that the event of a refresh names; the stored sessions have them all."""


@dataclass(frozen=True, slots=True)
class CalendarState:
    """One calendar as it stands in a workspace."""

    calendar: Calendar
    exchange: str
    is_shipped: bool
    """Whether its sessions are the package's own, not refreshed ones."""
    overrides: int


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Sessions of one calendar between two dates, and the overrides that stand on them."""

    calendar: Calendar
    sessions: tuple[Session, ...]
    overrides: tuple[SessionOverride, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """What an operator says of one date, times as `HH:MM` on the exchange's own clock."""

    is_closed: bool = False
    opens: str | None = None
    closes: str | None = None


def calendar(desk: Desk, name: str) -> Calendar:
    """A calendar in force, overrides included.

    Raises: RequestError if there is none of that name.
    """
    from dataspine.store import sessions

    with desk.reading() as database:
        return sessions.calendar_in_force(database.connection, name)


def states(desk: Desk) -> list[CalendarState]:
    """Every calendar, where it comes from and how far it reaches."""
    from dataspine.store import sessions

    found = []
    with desk.reading() as database:
        for name, exchange in CALENDARS.items():
            base = sessions.base_calendar(database.connection, name)
            standing = sessions.standing_overrides(database.connection, name)
            is_shipped = base.version == shipped_calendar(name).version
            found.append(CalendarState(base, exchange, is_shipped, len(standing)))
    return found


def page(desk: Desk, name: str, first: date, last: date) -> SessionPage:
    """Sessions from `first` to `last`, both included.

    Raises: RequestError if there is no such calendar; OutsideCalendar.
    """
    from dataspine.store import sessions

    with desk.reading() as database:
        found = sessions.calendar_in_force(database.connection, name)
        standing = sessions.standing_overrides(database.connection, name)
    on_dates = tuple(override for override in standing if first <= override.day <= last)
    return SessionPage(found, found.sessions_between(first, last), on_dates)


def today(desk: Desk) -> date:
    """The desk's date, UTC."""
    return datetime_from_us(desk.clock.now_us()).date()


def propose_refresh(
    desk: Desk, names: Sequence[str] = (), *, first_day: date | None = None
) -> list[CalendarDifference]:
    """What generating calendars anew would change, by default all of them; nothing is written.

    Raises: RequestError if there is no such calendar, or exchange_calendars is not installed.
    """
    from dataspine.calendars.difference import calendar_difference
    from dataspine.calendars.generate import generate
    from dataspine.store import sessions

    year = today(desk).year
    earliest, latest = date(year - YEARS_BACK, 1, 1), date(year + YEARS_FORWARD, 12, 31)
    with desk.reading() as database:
        bases = [sessions.base_calendar(database.connection, name) for name in names or CALENDARS]
    return [
        calendar_difference(
            base,
            generate(
                base.name, min(first_day or earliest, earliest, base.first_day), max(latest, base.last_day)
            ),
        )
        for base in bases
    ]


def apply_refresh(desk: Desk, differences: Sequence[CalendarDifference], *, reason: str) -> int:
    """Put generated calendars in force, all of them or none; the number that differed.

    Raises: RequestError without a reason, or where a standing override no longer fits; BusyError if a calendar was
    refreshed since it was compared.
    """
    from dataspine.calendars.overrides import with_overrides
    from dataspine.store import sessions

    text = _reason(reason)
    different = [difference for difference in differences if not difference.is_empty]
    with desk.acting() as spine, spine.workspace.database.transaction() as tx:
        for difference in different:
            name = difference.old.name
            if sessions.base_calendar(tx, name).version != difference.old.version:
                raise BusyError(
                    "somebody else refreshed this calendar first", where=name, cure="Look at it again"
                )
            with_overrides(difference.new, sessions.standing_overrides(tx, name))
            sessions.insert(tx, difference.new, reason=text, now_us=spine.clock.now_us())
            _record_refresh(spine, tx, difference, text)
    return len(different)


def export_files(differences: Sequence[CalendarDifference], directory: Path) -> list[Path]:
    """Write the generated calendars as files, in the form that is shipped with the package."""
    from dataspine.calendars.session_text import text_from_calendar

    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for difference in differences:
        path = directory / file_name(difference.new.name)
        path.write_text(text_from_calendar(difference.new), encoding="ascii", newline="\n")
        paths.append(path)
    return paths


def override(desk: Desk, name: str, day: date, hours: Hours, *, reason: str) -> SessionOverride:
    """Lay a closure or other hours over one date, until it is undone.

    Raises: RequestError without a reason, for hours that cannot be, or if this is what stands already; OutsideCalendar.
    """
    from dataspine.calendars.overrides import SessionOverride, session_at, with_overrides
    from dataspine.schemas.audit_event import EventType, NewEvent
    from dataspine.store import sessions

    text = _reason(reason)
    _check_hours(hours)
    with desk.acting() as spine, spine.workspace.database.transaction() as tx:
        base = sessions.base_calendar(tx, name)
        standing = sessions.standing_overrides(tx, name)
        before = _session_on(with_overrides(base, standing), day)
        session = None if hours.is_closed else session_at(base, day, hours.opens, hours.closes)
        if session == before:
            raise RequestError(
                "this is what stands already", found=state_text(session), where=f"{name}, {day}"
            )
        now_us = spine.clock.now_us()
        override_id = sessions.insert_override(tx, name, day, session, reason=text, now_us=now_us)
        made = SessionOverride(override_id, name, day, session, text, now_us)
        with_overrides(base, [*standing, made])
        metadata = {"override_id": override_id, "reason": text}
        event = NewEvent(
            EventType.SESSION_OVERRIDDEN,
            "session",
            f"{name} {day}",
            state_text(before),
            state_text(session),
            metadata,
        )
        spine.record(tx, event)
    return made


def undo(desk: Desk, override_id: int, *, reason: str) -> Session | None:
    """Take an override back; the session that stands on its date now, None where the exchange is closed.

    Raises: RequestError without a reason, if there is no such override, or if it was undone before.
    """
    from dataspine.schemas.audit_event import EventType, NewEvent
    from dataspine.store import sessions

    text = _reason(reason)
    with desk.acting() as spine, spine.workspace.database.transaction() as tx:
        found = sessions.find_override(tx, override_id)
        if found is None:
            raise RequestError("there is no such override", found=override_id, cure=_SEE_OVERRIDES)
        before = _session_on(sessions.calendar_in_force(tx, found.calendar), found.day)
        if not sessions.undo_override(tx, override_id, now_us=spine.clock.now_us()):
            raise RequestError("this override was undone before", found=override_id, cure=_SEE_OVERRIDES)
        after = _session_on(sessions.calendar_in_force(tx, found.calendar), found.day)
        event = NewEvent(
            EventType.SESSION_OVERRIDE_UNDONE,
            "session",
            f"{found.calendar} {found.day}",
            state_text(before),
            state_text(after),
            {"override_id": override_id, "reason": text},
        )
        spine.record(tx, event)
    return after


def state_text(session: Session | None) -> str:
    """A date's state in one word or two instants, as the audit log shows it."""
    if session is None:
        return "closed"
    return ", ".join(f"{iso_from_us(start)}/{iso_from_us(end)}" for start, end in session.windows)


_SEE_OVERRIDES = "`dataspine sessions list CALENDAR` shows the overrides that stand"


def _session_on(found: Calendar, day: date) -> Session | None:
    return found.session(day) if found.is_session(day) else None


def _reason(reason: str) -> str:
    """The reason without blanks around it.

    Raises: RequestError if nothing is left.
    """
    # A byte on the command line that is no UTF-8 comes as a lone surrogate, which no table can hold.
    text = reason.strip().encode("utf-8", "backslashreplace").decode()
    if not text:
        raise RequestError("a reason is needed", cure="Say why in a few words: --reason TEXT")
    return text


def _check_hours(hours: Hours) -> None:
    """Refuse a date that is both closed and open, or neither."""
    has_times = hours.opens is not None or hours.closes is not None
    if hours.is_closed == has_times:
        raise RequestError(
            "say either --closed, or when it is open with --open and --close",
            found="both" if has_times else "neither",
        )


def _record_refresh(spine: Spine, tx: Connection, difference: CalendarDifference, reason: str) -> None:
    from dataspine.schemas.audit_event import EventType, NewEvent

    days = {
        "added": [session.day for session in difference.added],
        "removed": [session.day for session in difference.removed],
        "changed": [change.new.day for change in difference.changed],
    }
    new = difference.new
    metadata: dict[str, object] = {
        "reason": reason,
        "made_by": new.made_by,
        "first_day": new.first_day,
        "last_day": new.last_day,
        **{f"{kind}_count": len(found) for kind, found in days.items()},
        **{kind: found[:_DAYS_AUDITED] for kind, found in days.items()},
    }
    event = NewEvent(
        EventType.CALENDAR_REFRESHED, "calendar", new.name, difference.old.version, new.version, metadata
    )
    spine.record(tx, event)
