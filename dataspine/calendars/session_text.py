"""Sessions as text: runs of trading days with the same hours, one run a line, small and good to compare.

A run is `[first day, minutes, length of the day, gaps]`. Minutes are the edges of trading counted from 00:00 UTC of
the session's date (negative on the evening before; four where there is a break). Gaps are one character for each
further session: days since the one before, in base 36.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from datetime import date
from itertools import accumulate, pairwise
from typing import Any

from dataspine.calendars.lookup import US_PER_DAY, US_PER_MINUTE, Calendar, Session, midnight_us

FORMAT = 1
_DIGITS = string.digits + string.ascii_lowercase
_FULL, _HALF = "full", "half"


def text_from_calendar(calendar: Calendar) -> str:
    """The calendar as text; the same sessions always give the same bytes.

    Raises: ValueError for hours that are no whole minutes, or sessions more than 35 days apart.
    """
    header = {
        "format": FORMAT,
        "calendar": calendar.name,
        "zone": calendar.zone,
        "first_day": str(calendar.first_day),
        "last_day": str(calendar.last_day),
        "made_by": calendar.made_by,
        "version": calendar.version,
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in header.items()]
    runs = ",\n".join(json.dumps(_run_of(sessions)) for sessions in _alike(calendar.sessions))
    return "{\n" + ",\n".join(lines) + f',\n"runs": [\n{runs}\n]\n}}\n'


def calendar_from_text(text: str) -> Calendar:
    """The calendar that was written.

    Raises: ValueError if the text is not such a calendar, or not the one that its version names.
    """
    try:
        found = json.loads(text)
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']!r} of sessions is not known")
        calendar = Calendar(
            name=found["calendar"],
            zone=found["zone"],
            first_day=date.fromisoformat(found["first_day"]),
            last_day=date.fromisoformat(found["last_day"]),
            sessions=tuple(session for run in found["runs"] for session in _sessions_of(run)),
            made_by=found["made_by"],
        )
        is_genuine = calendar.version == found["version"]
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"the text is no calendar: {error!r}") from error
    if not is_genuine:
        raise ValueError(f"the sessions of {calendar.name} are not those of version {found['version']}")
    return calendar


def _alike(sessions: tuple[Session, ...]) -> Iterator[list[Session]]:
    """Neighbours with the same hours; a new year starts a new run, so that a change touches one short line."""
    run: list[Session] = []
    for session in sessions:
        if run and _likeness(run[-1]) != _likeness(session):
            yield run
            run = []
        run.append(session)
    yield run


def _likeness(session: Session) -> tuple[object, ...]:
    return session.day.year, session.is_half_day, *_edges(session)


def _edges(session: Session) -> list[int]:
    start_us = midnight_us(session.day)
    edges = [divmod(edge - start_us, US_PER_MINUTE) for window in session.windows for edge in window]
    if any(rest for _, rest in edges):
        raise ValueError(f"the hours of {session.day} are no whole minutes")
    return [minute for minute, _ in edges]


def _run_of(sessions: list[Session]) -> list[Any]:
    gaps = [(later.day - earlier.day).days for earlier, later in pairwise(sessions)]
    if max(gaps, default=0) >= len(_DIGITS):
        raise ValueError(f"sessions after {sessions[0].day} are more than {len(_DIGITS) - 1} days apart")
    first = sessions[0]
    length = _HALF if first.is_half_day else _FULL
    return [str(first.day), _edges(first), length, "".join(_DIGITS[gap] for gap in gaps)]


def _sessions_of(run: list[Any]) -> Iterator[Session]:
    day_text, minutes, length, gaps = run
    opens, *breaks, closes = [minute * US_PER_MINUTE for minute in minutes]
    first = date.fromisoformat(day_text)
    is_half_day = length == _HALF
    for days in accumulate((int(gap, 36) for gap in gaps), initial=0):
        start_us = midnight_us(first) + days * US_PER_DAY
        break_start_us, break_end_us = [start_us + edge for edge in breaks] if breaks else (None, None)
        day = date.fromordinal(first.toordinal() + days)
        yield Session(day, start_us + opens, start_us + closes, break_start_us, break_end_us, is_half_day)
