"""Builds small calendars, and turns clock times into the microseconds that look-ups take."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from dataspine.calendars.lookup import Calendar, Session
from dataspine.clock import us_from_datetime


def us(text: str) -> int:
    """Microseconds of an ISO 8601 instant with its offset."""
    return us_from_datetime(datetime.fromisoformat(text))


def session(
    day: str, opens: str = "14:30", closes: str = "21:00", lunch: str = "", **values: bool
) -> Session:
    """A session with hours in UTC; `lunch` reads `04:00-05:00`."""
    edges = [us(f"{day}T{edge}:00Z") for edge in (opens, closes, *(lunch.split("-") if lunch else ()))]
    return Session(date.fromisoformat(day), *edges, **values)


def calendar(
    *sessions: Session, name: str = "XNYS", zone: str = "America/New_York", margin_days: int = 0
) -> Calendar:
    """A calendar of these sessions that covers `margin_days` more on both sides."""
    margin = timedelta(days=margin_days)
    return Calendar(name, zone, sessions[0].day - margin, sessions[-1].day + margin, sessions)
