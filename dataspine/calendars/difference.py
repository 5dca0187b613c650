"""What differs between two states of one calendar: sessions added, removed, or with other hours."""

from __future__ import annotations

from dataclasses import dataclass

from dataspine.calendars.lookup import Calendar, Session


@dataclass(frozen=True, slots=True)
class SessionChange:
    """A session whose hours differ."""

    old: Session
    new: Session


@dataclass(frozen=True, slots=True)
class CalendarDifference:
    """From one state of a calendar to another."""

    old: Calendar
    new: Calendar
    added: tuple[Session, ...]
    removed: tuple[Session, ...]
    changed: tuple[SessionChange, ...]

    @property
    def is_empty(self) -> bool:
        """Whether both are the same: sessions, days covered and zone."""
        return self.old.version == self.new.version


def calendar_difference(old: Calendar, new: Calendar) -> CalendarDifference:
    """Compare two states of a calendar, date by date."""
    before = {session.day: session for session in old.sessions}
    after = {session.day: session for session in new.sessions}
    return CalendarDifference(
        old,
        new,
        added=tuple(session for day, session in after.items() if day not in before),
        removed=tuple(session for day, session in before.items() if day not in after),
        changed=tuple(
            SessionChange(before[day], session)
            for day, session in after.items()
            if day in before and before[day] != session
        ),
    )
