"""Sessions generated anew: exchanges from exchange_calendars, which is loaded here and nowhere else, others by rule."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from dataspine.calendars.lookup import US_PER_DAY, Calendar, Session, midnight_us
from dataspine.calendars.shipped import check_name
from dataspine.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

BY_RULE = "rule"
"""What a calendar without an exchange is made by."""
_NEW_YORK = "America/New_York"
_CURRENCY_ROLL = time(17)
"""When the currency day ends and the next begins, in New York."""
_FRIDAY = 5
_US_PER_S = 1_000_000


def generate(name: str, first_day: date, last_day: date) -> Calendar:
    """The sessions of a calendar from `first_day` to `last_day`, as far as the exchange's are known.

    Raises: RequestError if there is no such calendar, or exchange_calendars is not installed.
    """
    check_name(name)
    if name in _RULES:
        zone, rule = _RULES[name]
        return Calendar(name, zone, first_day, last_day, tuple(rule(first_day, last_day)), made_by=BY_RULE)
    # exchange_calendars warns of what a later pandas will change; it says nothing about the sessions.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _exchange_calendar(name, first_day, last_day)


def _exchange_calendar(name: str, first_day: date, last_day: date) -> Calendar:
    library = _library()
    kind = type(library.get_calendar(name))
    earliest, latest = kind.bound_min(), kind.bound_max()
    first = first_day if earliest is None else max(first_day, earliest.date())
    last = last_day if latest is None else min(last_day, latest.date())
    if first > last:
        raise RequestError(
            f"exchange_calendars knows nothing of {name} on these dates",
            found=f"{first_day} to {last_day}",
            cure=f"It knows {earliest or 'all'} to {latest or 'all'}",
        )
    found = library.get_calendar(name, start=str(first), end=str(last))
    half_days = {day.date() for day in (*found.early_closes, *found.late_opens)}
    return Calendar(
        name,
        str(found.tz),
        first,
        last,
        tuple(_exchange_sessions(found.schedule, half_days)),
        made_by=f"exchange_calendars {library.__version__}",
    )


def _library() -> Any:
    try:
        import exchange_calendars
    except ImportError as error:
        raise RequestError(
            "generating sessions needs exchange_calendars",
            found="not installed",
            cure="Install the extra: pip install 'dataspine[calendars]'",
        ) from error
    return exchange_calendars


def _exchange_sessions(schedule: Any, half_days: set[date]) -> Iterator[Session]:
    for row in schedule[["open", "close", "break_start", "break_end"]].itertuples():
        day = row.Index.date()
        edges = (_instant_us(edge) for edge in (row.open, row.close, row.break_start, row.break_end))
        open_us, close_us, break_start_us, break_end_us = edges
        if open_us is None or close_us is None:
            raise RequestError("exchange_calendars gave a session without hours", where=str(day))
        yield Session(day, open_us, close_us, break_start_us, break_end_us, is_half_day=day in half_days)


def _instant_us(instant: Any) -> int | None:
    """Microseconds of a pandas Timestamp; None of NaT, the only value that differs from itself."""
    return None if instant != instant else int(instant.timestamp()) * _US_PER_S  # noqa: PLR0124 - see above


def _utc_days(first_day: date, last_day: date) -> Iterator[Session]:
    for day in _dates(first_day, last_day):
        yield Session(day, midnight_us(day), midnight_us(day) + US_PER_DAY)


def _currency_days(first_day: date, last_day: date) -> Iterator[Session]:
    for day in _dates(first_day, last_day):
        if day.isoweekday() <= _FRIDAY:
            yield Session(day, _roll_us(day - timedelta(days=1)), _roll_us(day))


def _dates(first_day: date, last_day: date) -> Iterable[date]:
    return map(date.fromordinal, range(first_day.toordinal(), last_day.toordinal() + 1))


def _roll_us(day: date) -> int:
    instant = datetime.combine(day, _CURRENCY_ROLL, ZoneInfo(_NEW_YORK)).astimezone(UTC)
    return int(instant.timestamp()) * _US_PER_S


_RULES: dict[str, tuple[str, Callable[[date, date], Iterator[Session]]]] = {
    "24/7": ("UTC", _utc_days),
    "24/5": (_NEW_YORK, _currency_days),
}
"""Calendars that follow from the clock: zone, and sessions between two dates."""
