"""The shipped sessions: clock changes of 2025 and 2026, half days, holidays, lunch, and what they cover."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dataspine.calendars.shipped import CALENDARS, shipped_calendar
from dataspine.clock import datetime_from_us
from dataspine.errors import RequestError
from tests.unit.calendars.calendar_builder import us

FIRST, LAST = date(2016, 1, 1), date(2027, 12, 31)


def wall_hours(name, day):
    """Open and close of a session on the exchange's own clock."""
    found = shipped_calendar(name)
    zone = ZoneInfo(found.zone)
    session = found.session(day)
    return tuple(
        datetime_from_us(edge).astimezone(zone).strftime("%H:%M")
        for edge in (session.open_us, session.close_us)
    )


@pytest.mark.parametrize("name", CALENDARS)
def test_every_calendar_covers_ten_years_back_and_one_forward(name):
    found = shipped_calendar(name)
    assert (found.name, found.first_day, found.last_day) == (name, FIRST, LAST)
    assert (found.sessions[0].day - FIRST).days < 7
    assert (LAST - found.sessions[-1].day).days < 7


# United States: 2025-03-09 and 11-02, 2026-03-08 and 11-01. Europe: 2025-03-30 and 10-26, 2026-03-29 and 10-25.
@pytest.mark.parametrize(
    ("name", "before", "after", "utc_before", "utc_after"),
    [
        ("XNYS", "2025-03-07", "2025-03-10", "14:30", "13:30"),
        ("XNYS", "2025-10-31", "2025-11-03", "13:30", "14:30"),
        ("XNYS", "2026-03-06", "2026-03-09", "14:30", "13:30"),
        ("XNAS", "2026-10-30", "2026-11-02", "13:30", "14:30"),
        ("XLON", "2025-03-28", "2025-03-31", "08:00", "07:00"),
        ("XLON", "2025-10-24", "2025-10-27", "07:00", "08:00"),
        ("XLON", "2026-03-27", "2026-03-30", "08:00", "07:00"),
        ("XETR", "2026-10-23", "2026-10-26", "07:00", "08:00"),
        ("CMES", "2026-03-06", "2026-03-09", "23:00", "22:00"),
        ("24/5", "2025-10-31", "2025-11-03", "21:00", "22:00"),
        ("XTKS", "2026-03-06", "2026-03-09", "00:00", "00:00"),
        ("XHKG", "2026-10-23", "2026-10-26", "01:30", "01:30"),
    ],
)
def test_clock_changes_move_the_open_in_utc(name, before, after, utc_before, utc_after):
    found = shipped_calendar(name)
    opens = [datetime_from_us(found.open_us(date.fromisoformat(day))) for day in (before, after)]
    assert [instant.strftime("%H:%M") for instant in opens] == [utc_before, utc_after]
    assert wall_hours(name, date.fromisoformat(before)) == wall_hours(name, date.fromisoformat(after))


FORTNIGHTS = [date(2025, 3, 3), date(2025, 3, 24), date(2025, 10, 20), date(2025, 10, 27)]
FORTNIGHTS += [date(2026, 3, 2), date(2026, 3, 19), date(2026, 10, 19), date(2026, 10, 26)]


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("XNYS", ("09:30", "16:00")),
        ("XNAS", ("09:30", "16:00")),
        ("XLON", ("08:00", "16:30")),
        ("XETR", ("09:00", "17:30")),
        ("24/5", ("17:00", "17:00")),
        ("CMES", ("17:00", "17:00")),
    ],
)
@pytest.mark.parametrize("first", FORTNIGHTS, ids=str)
def test_fortnights_around_clock_changes_have_ten_sessions_at_usual_hours(name, hours, first):
    found = shipped_calendar(name)
    sessions = found.sessions_between(first, first + timedelta(days=13))
    assert len(sessions) == 10
    assert {wall_hours(name, item.day) for item in sessions} == {hours}


def test_the_night_between_two_sessions_is_an_hour_shorter_or_longer():
    found = shipped_calendar("XNYS")
    spring = found.open_us(date(2026, 3, 9)) - found.close_us(date(2026, 3, 6))
    autumn = found.open_us(date(2026, 11, 2)) - found.close_us(date(2026, 10, 30))
    usual = found.open_us(date(2026, 3, 16)) - found.close_us(date(2026, 3, 13))
    assert (usual - spring, autumn - usual) == (3_600_000_000, 3_600_000_000)


def test_currency_days_last_24_hours_also_where_clocks_change():
    found = shipped_calendar("24/5")
    minutes = [
        found.session(day).open_minutes for day in (date(2026, 3, 9), date(2026, 11, 2), date(2026, 11, 3))
    ]
    # The clock changes on Sunday at 02:00, while the week has not begun.
    assert minutes == [1440, 1440, 1440]
    assert found.session_minutes_between(us("2026-03-01T00:00:00Z"), us("2026-03-08T00:00:00Z")) == 5 * 1440


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("XNYS", "2025-11-28", ("09:30", "13:00")),
        ("XNYS", "2025-12-24", ("09:30", "13:00")),
        ("XNAS", "2026-11-27", ("09:30", "13:00")),
        ("XLON", "2025-12-24", ("08:00", "12:30")),
        ("XETR", "2025-12-30", ("09:00", "14:00")),
        ("XHKG", "2025-12-24", ("09:30", "12:00")),
        ("CMES", "2025-11-27", ("17:00", "12:00")),
    ],
)
def test_half_days(name, day, hours):
    found, on = shipped_calendar(name), date.fromisoformat(day)
    assert found.is_half_day(on)
    assert wall_hours(name, on) == hours


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("XNYS", "2025-01-09"),  # day of mourning, announced ten days ahead
        ("XNYS", "2026-01-01"),
        ("XNYS", "2026-06-19"),
        ("XNYS", "2026-07-03"),
        ("XLON", "2022-09-19"),  # state funeral
        ("XLON", "2026-12-28"),
        ("XETR", "2026-05-01"),
        ("XHKG", "2026-02-17"),
        ("XTKS", "2026-05-06"),
        ("XTKS", "2026-12-31"),
        ("CMES", "2026-12-25"),
        ("XNYS", "2026-01-10"),  # a Saturday
        ("24/5", "2026-01-11"),  # a Sunday: its evening belongs to Monday
    ],
)
def test_closed_dates(name, day):
    assert not shipped_calendar(name).is_session(date.fromisoformat(day))


def test_lunch_in_hong_kong_and_tokyo():
    hong_kong, tokyo = shipped_calendar("XHKG"), shipped_calendar("XTKS")
    session = hong_kong.session(date(2026, 1, 5))
    assert session.windows == (
        (us("2026-01-05T09:30:00+08:00"), us("2026-01-05T12:00:00+08:00")),
        (us("2026-01-05T13:00:00+08:00"), us("2026-01-05T16:00:00+08:00")),
    )
    assert not hong_kong.is_open(us("2026-01-05T12:30:00+08:00"))
    assert hong_kong.session(date(2025, 12, 24)).break_start_us is None
    assert tokyo.session(date(2026, 1, 5)).windows[0][1] == us("2026-01-05T11:30:00+09:00")


def test_tokyo_closes_half_an_hour_later_since_november_2024():
    assert wall_hours("XTKS", date(2024, 11, 1))[1] == "15:00"
    assert wall_hours("XTKS", date(2024, 11, 5))[1] == "15:30"
    assert not shipped_calendar("XTKS").is_half_day(date(2024, 11, 1))


def test_round_the_clock_every_utc_day_is_a_session():
    found = shipped_calendar("24/7")
    assert len(found.sessions) == (LAST - FIRST).days + 1
    session = found.session_of(us("2026-02-28T23:59:59Z"))
    assert session.day == date(2026, 2, 28)
    assert datetime_from_us(session.close_us) == datetime(2026, 3, 1, tzinfo=UTC)
    assert found.session_of(session.close_us).day == date(2026, 3, 1)
    assert found.session_minutes_between(session.open_us, session.close_us) == 1440


def test_evening_in_new_york_belongs_to_the_next_currency_day():
    found = shipped_calendar("24/5")
    assert found.session_of(us("2026-01-11T16:59:59-05:00")) is None
    assert found.session_of(us("2026-01-11T17:00:00-05:00")).day == date(2026, 1, 12)
    assert found.session_of(us("2026-01-16T17:00:00-05:00")) is None


def test_unknown_calendar_is_refused_with_the_list():
    with pytest.raises(
        RequestError, match=r"there is no such calendar, got XLSE\. Calendars are XNYS, XNAS.*24/5"
    ):
        shipped_calendar("XLSE")
