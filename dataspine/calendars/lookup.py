"""Sessions of one calendar and what is asked of them: open or closed, half days, open minutes between instants.

Intervals are half-open: at the instant of its open a session is open, at the instant of its close it is closed.
A date or instant that the sessions do not cover is an error, never a guess.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

from dataspine.errors import RequestError

US_PER_MINUTE = 60_000_000
US_PER_DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()


class OutsideCalendar(RequestError):
    """A date or instant that the calendar's sessions do not cover."""


class Session(NamedTuple):
    """One trading day: open from `open_us` until just before `close_us`, except during the break."""

    day: date
    """The exchange's date for it; futures and currencies open on the evening before."""
    open_us: int
    close_us: int
    break_start_us: int | None = None
    """Start and end of the lunch break; both or neither."""
    break_end_us: int | None = None
    is_half_day: bool = False
    """Whether it is shorter than the calendar's usual session: early close or late open."""

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """Start and end of each part of the session in which trading goes on."""
        if self.break_start_us is None or self.break_end_us is None:
            return ((self.open_us, self.close_us),)
        return ((self.open_us, self.break_start_us), (self.break_end_us, self.close_us))

    @property
    def open_minutes(self) -> float:
        """Minutes of trading, the break left out."""
        return sum(end - start for start, end in self.windows) / US_PER_MINUTE


class _Windows(NamedTuple):
    """Times of trading in order, as columns."""

    starts_us: list[int]
    ends_us: list[int]
    open_before_us: list[int]
    """Microseconds of trading before each start."""


@dataclass(frozen=True)
class Calendar:
    """Every session from `first_day` to `last_day`, both included, in order and without overlap.

    Raises: ValueError if the sessions are none, out of order, overlapping, inside out or outside the days.
    """

    name: str
    zone: str
    """IANA zone of the exchange's own clock."""
    first_day: date
    last_day: date
    sessions: tuple[Session, ...]
    made_by: str = field(default="", compare=False)
    """What the sessions were generated with."""

    def __post_init__(self) -> None:
        wrong = next(_flaws(self), None)
        if wrong is not None:
            raise ValueError(f"calendar {self.name}: {wrong}")

    @cached_property
    def version(self) -> str:
        """SHA-256 of name, zone, days and sessions: the same sessions have the same version on every machine."""
        # OpenSSL takes a third of this module's import time, and a look-up never needs it.
        import hashlib

        numbers = array("q")
        for session in self.sessions:
            day, opens, closes, break_start, break_end, is_half = session
            numbers.extend((day.toordinal(), opens, closes, break_start or 0, break_end or 0, is_half))
        if sys.byteorder == "big":
            numbers.byteswap()
        header = f"{self.name}|{self.zone}|{self.first_day}|{self.last_day}\n"
        return hashlib.sha256(header.encode() + numbers.tobytes()).hexdigest()

    @property
    def coverage(self) -> str:
        """Name and days, as errors and pages show them."""
        return f"{self.name}, {self.first_day} to {self.last_day}"

    def is_session(self, day: date) -> bool:
        """Whether the exchange trades on this date.

        Raises: OutsideCalendar.
        """
        return self._session_or_none(day) is not None

    def session(self, day: date) -> Session:
        """The session of a date.

        Raises: RequestError if there is none on that date; OutsideCalendar.
        """
        found = self._session_or_none(day)
        if found is None:
            raise RequestError(
                f"{self.name} is closed on this date",
                found=day,
                cure=f"`dataspine sessions list {self.name}` shows when it is open",
            )
        return found

    def open_us(self, day: date) -> int:
        """When the session of a date opens. Raises: as `session`."""
        return self.session(day).open_us

    def close_us(self, day: date) -> int:
        """When the session of a date closes. Raises: as `session`."""
        return self.session(day).close_us

    def is_half_day(self, day: date) -> bool:
        """Whether the session of a date is shorter than usual. Raises: as `session`."""
        return self.session(day).is_half_day

    def sessions_between(self, first: date, last: date) -> tuple[Session, ...]:
        """Sessions from `first` to `last`, both included; none if `last` is earlier.

        Raises: OutsideCalendar if either date is.
        """
        start = bisect_left(self._ordinals, self._known(first).toordinal())
        end = bisect_right(self._ordinals, self._known(last).toordinal())
        return self.sessions[start:end]

    def session_after(self, day: date) -> Session:
        """The first session later than a date.

        Raises: OutsideCalendar if that is not known.
        """
        place = bisect_right(self._ordinals, self._known(day).toordinal())
        if place == len(self.sessions):
            raise self._outside("the next session is not known", day)
        return self.sessions[place]

    def session_before(self, day: date) -> Session:
        """The last session earlier than a date.

        Raises: OutsideCalendar if that is not known.
        """
        place = bisect_left(self._ordinals, self._known(day).toordinal())
        if place == 0:
            raise self._outside("the previous session is not known", day)
        return self.sessions[place - 1]

    def session_of(self, instant_us: int) -> Session | None:
        """The session whose open and close surround an instant, the break included; None between sessions.

        Raises: OutsideCalendar.
        """
        place = bisect_right(self._opens_us, self._known_us(instant_us)) - 1
        is_inside = place >= 0 and instant_us < self._closes_us[place]
        return self.sessions[place] if is_inside else None

    def is_open(self, instant_us: int) -> bool:
        """Whether there is trading at an instant; not so during the break.

        Raises: OutsideCalendar.
        """
        place = bisect_right(self._windows.starts_us, self._known_us(instant_us)) - 1
        return place >= 0 and instant_us < self._windows.ends_us[place]

    def next_open(self, instant_us: int) -> int:
        """The first open of a session later than an instant.

        Raises: OutsideCalendar if that is not known.
        """
        place = bisect_right(self._opens_us, self._known_us(instant_us))
        if place == len(self._opens_us):
            raise self._outside("the next open is not known", _date_of(instant_us))
        return self._opens_us[place]

    def previous_close(self, instant_us: int) -> int:
        """The last close of a session at or before an instant.

        Raises: OutsideCalendar if that is not known.
        """
        place = bisect_right(self._closes_us, self._known_us(instant_us)) - 1
        if place < 0:
            raise self._outside("the previous close is not known", _date_of(instant_us))
        return self._closes_us[place]

    def session_minutes_between(self, start_us: int, end_us: int) -> float:
        """Minutes of trading from one instant to another; breaks, nights and holidays count nothing.

        Raises: ValueError if `end_us` is earlier than `start_us`; OutsideCalendar.
        """
        if end_us < start_us:
            raise ValueError(f"the end must not be earlier than the start, got {start_us} to {end_us}")
        return (self._open_until_us(end_us) - self._open_until_us(start_us)) / US_PER_MINUTE

    def _open_until_us(self, instant_us: int) -> int:
        """Microseconds of trading before an instant, since the calendar's beginning."""
        starts_us, ends_us, open_before_us = self._windows
        place = bisect_right(starts_us, self._known_us(instant_us, is_end=True)) - 1
        if place < 0:
            return 0
        return open_before_us[place] + min(instant_us, ends_us[place]) - starts_us[place]

    def _session_or_none(self, day: date) -> Session | None:
        ordinal = self._known(day).toordinal()
        place = bisect_left(self._ordinals, ordinal)
        is_found = place < len(self._ordinals) and self._ordinals[place] == ordinal
        return self.sessions[place] if is_found else None

    def _known(self, day: date) -> date:
        if not self.first_day <= day <= self.last_day:
            raise self._outside("the date is outside the calendar", day)
        return day

    def _known_us(self, instant_us: int, *, is_end: bool = False) -> int:
        """The instant, if every session that could hold it is among ours; the last instant only ends intervals."""
        first_us, end_us = self._covered_us
        if not first_us <= instant_us < end_us + is_end:
            raise self._outside("the instant is outside the calendar", _date_of(instant_us))
        return instant_us

    def _outside(self, what: str, day: date) -> OutsideCalendar:
        cure = f"Ask for a date from {self.first_day} to {self.last_day}, or reach further: `dataspine sessions refresh"
        cure += f" --from {day}`" if day < self.first_day else "`"
        return OutsideCalendar(what, found=day, where=self.coverage, cure=cure)

    @cached_property
    def _ordinals(self) -> list[int]:
        return [session.day.toordinal() for session in self.sessions]

    @cached_property
    def _opens_us(self) -> list[int]:
        return [session.open_us for session in self.sessions]

    @cached_property
    def _closes_us(self) -> list[int]:
        return [session.close_us for session in self.sessions]

    @cached_property
    def _windows(self) -> _Windows:
        windows = [window for session in self.sessions for window in session.windows]
        lengths_us = (end - start for start, end in windows)
        return _Windows(
            [start for start, _ in windows],
            [end for _, end in windows],
            list(accumulate(lengths_us, initial=0)),
        )

    @cached_property
    def _covered_us(self) -> tuple[int, int]:
        """First and end of the instants whose session could only be one of ours.

        A session that opens on the evening before makes the evening of the last day uncertain: the day after it
        is not known.
        """
        earliest_us = min(session.open_us - midnight_us(session.day) for session in self.sessions)
        latest_us = max(session.close_us - midnight_us(session.day) for session in self.sessions)
        first_us = midnight_us(self.first_day) + max(0, latest_us - US_PER_DAY)
        return first_us, midnight_us(self.last_day) + US_PER_DAY + min(0, earliest_us)


def midnight_us(day: date) -> int:
    """The instant 00:00 UTC of a date."""
    return (day.toordinal() - _EPOCH_ORDINAL) * US_PER_DAY


def _date_of(instant_us: int) -> date:
    return (_EPOCH + timedelta(microseconds=instant_us)).date()


def _flaws(calendar: Calendar) -> Iterator[str]:
    """What keeps the sessions from being a calendar."""
    sessions = calendar.sessions
    if not sessions:
        yield "no sessions"
        return
    if sessions[0].day < calendar.first_day or calendar.last_day < sessions[-1].day:
        yield f"sessions outside {calendar.first_day} to {calendar.last_day}"
    for session in sessions:
        if _is_inside_out(session):
            yield f"{session.day} has hours inside out"
    for earlier, later in pairwise(sessions):
        if earlier.day >= later.day or earlier.close_us > later.open_us:
            yield f"{later.day} does not follow {earlier.day}"


def _is_inside_out(session: Session) -> bool:
    if session.break_start_us is None or session.break_end_us is None:
        return session.open_us >= session.close_us
    return not session.open_us < session.break_start_us < session.break_end_us < session.close_us
