"""Overrides laid over a calendar: closures, half days, added sessions, and hours that cannot be."""

from __future__ import annotations

from datetime import date

import pytest

from dataspine.calendars.lookup import OutsideCalendar, Session
from dataspine.calendars.overrides import SessionOverride, hours_text, session_at, with_overrides
from dataspine.calendars.shipped import shipped_calendar
from dataspine.errors import RequestError
from tests.unit.calendars.calendar_builder import us

FRIDAY, SATURDAY = date(2026, 1, 9), date(2026, 1, 10)


def make_override(number: int, day: date, session: Session | None, name: str = "XNYS") -> SessionOverride:
    """An override that stands."""
    return SessionOverride(number, name, day, session, "test", 0)


def test_a_closure_takes_the_session_away():
    base = shipped_calendar("XNYS")
    found = with_overrides(base, [make_override(1, FRIDAY, None)])
    assert not found.is_session(FRIDAY)
    assert len(found.sessions) == len(base.sessions) - 1
    assert found.session_minutes_between(us("2026-01-08T00:00:00Z"), us("2026-01-13T00:00:00Z")) == 2 * 390
    assert found.version != base.version
    assert with_overrides(base, []).version == base.version


def test_a_half_day_keeps_the_scheduled_open():
    base = shipped_calendar("XNYS")
    session = session_at(base, FRIDAY, None, "13:00")
    assert session == Session(
        FRIDAY, us("2026-01-09T09:30:00-05:00"), us("2026-01-09T13:00:00-05:00"), is_half_day=True
    )
    assert with_overrides(base, [make_override(1, FRIDAY, session)]).is_half_day(FRIDAY)


def test_a_longer_session_is_no_half_day():
    assert not session_at(shipped_calendar("XNYS"), FRIDAY, None, "17:00").is_half_day
    assert not session_at(shipped_calendar("XNYS"), date(2026, 11, 27), None, "16:00").is_half_day


def test_an_added_session_stands_in_its_place():
    base = shipped_calendar("XNYS")
    session = session_at(base, SATURDAY, "09:30", "16:00")
    found = with_overrides(base, [make_override(1, SATURDAY, session)])
    assert found.session_after(FRIDAY) == session
    assert not session.is_half_day


def test_the_last_override_of_a_date_stands():
    base = shipped_calendar("XNYS")
    half = session_at(base, FRIDAY, None, "13:00")
    closed, opened = make_override(1, FRIDAY, None), make_override(2, FRIDAY, half)
    assert with_overrides(base, [closed, opened]).session(FRIDAY) == half
    assert not with_overrides(base, [opened, closed]).is_session(FRIDAY)


def test_an_override_beyond_the_calendar_changes_nothing():
    base = shipped_calendar("XNYS")
    assert with_overrides(base, [make_override(1, date(2035, 1, 2), None)]) == base


def test_summer_time_is_the_exchanges_own():
    base = shipped_calendar("XNYS")
    assert session_at(base, date(2026, 3, 6), None, "13:00").close_us == us("2026-03-06T18:00:00Z")
    assert session_at(base, date(2026, 3, 9), None, "13:00").close_us == us("2026-03-09T17:00:00Z")


@pytest.mark.parametrize(
    ("opens", "closes", "hours", "is_half_day"),
    [
        (None, "12:00", "09:30-12:00", True),
        ("13:00", None, "13:00-16:00", True),
        ("10:30", None, "10:30-12:00, 13:00-16:00", True),
        (None, "16:30", "09:30-12:00, 13:00-16:30", False),
    ],
)
def test_lunch_stays_where_the_hours_enclose_it(opens, closes, hours, is_half_day):
    session = session_at(shipped_calendar("XHKG"), FRIDAY, opens, closes)
    assert hours_text(session, "Asia/Hong_Kong") == hours
    assert session.is_half_day is is_half_day


def test_lunch_is_put_back_where_a_half_day_becomes_a_full_one():
    session = session_at(shipped_calendar("XHKG"), date(2025, 12, 24), None, "16:00")
    assert hours_text(session, "Asia/Hong_Kong") == "09:30-12:00, 13:00-16:00"


@pytest.mark.parametrize(("opens", "closes"), [(None, "12:30"), ("12:01", None)])
def test_nobody_opens_or_closes_during_lunch(opens, closes):
    with pytest.raises(RequestError, match="during its lunch break"):
        session_at(shipped_calendar("XHKG"), FRIDAY, opens, closes)


def test_an_open_that_is_not_earlier_is_on_the_evening_before():
    futures = session_at(shipped_calendar("CMES"), FRIDAY, None, "12:00")
    assert hours_text(futures, "America/Chicago") == "17:00 the day before-12:00"
    late = session_at(shipped_calendar("CMES"), FRIDAY, "08:00", None)
    assert hours_text(late, "America/Chicago") == "08:00-17:00"
    currency = session_at(shipped_calendar("24/5"), FRIDAY, "17:00", "17:00")
    assert currency == shipped_calendar("24/5").session(FRIDAY)


def test_midnight_ends_the_date():
    session = session_at(shipped_calendar("24/7"), FRIDAY, "06:00", "24:00")
    assert hours_text(session, "UTC") == "06:00-24:00"
    assert session.is_half_day


@pytest.mark.parametrize("text", ["9:30", "25:00", "24:01", "09:60", "0930", "", "09:30:00", "٠٩:٣٠"])
def test_other_forms_of_time_are_refused(text):
    with pytest.raises(RequestError, match="--close must be a time of day"):
        session_at(shipped_calendar("XNYS"), FRIDAY, None, text)


def test_a_close_before_the_scheduled_open_is_refused():
    with pytest.raises(RequestError, match="the close must be later than the open"):
        session_at(shipped_calendar("XNYS"), FRIDAY, None, "09:30")


def test_half_given_hours_need_a_scheduled_session():
    with pytest.raises(RequestError, match="no session is scheduled, so --open must be given"):
        session_at(shipped_calendar("XNYS"), SATURDAY, None, "13:00")


def test_a_time_that_clocks_skip_is_refused():
    with pytest.raises(RequestError, match="clocks skip this time"):
        session_at(shipped_calendar("XNYS"), date(2026, 3, 8), "02:30", "13:00")


def test_outside_the_calendar_nothing_is_made():
    with pytest.raises(OutsideCalendar):
        session_at(shipped_calendar("XNYS"), date(2035, 1, 2), None, "13:00")


def test_hours_that_run_into_a_neighbour_are_refused():
    base = shipped_calendar("24/7")
    session = base.session(FRIDAY)._replace(open_us=base.session(FRIDAY).open_us - 1)
    with pytest.raises(
        RequestError, match=r"do not fit among the other sessions .*2026-01-09 does not follow"
    ):
        with_overrides(base, [make_override(1, FRIDAY, session, "24/7")])
