"""Look-ups on small calendars at their edges, and session minutes against a count by brute force."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspine.calendars.lookup import US_PER_MINUTE, Calendar, OutsideCalendar, midnight_us
from dataspine.calendars.shipped import shipped_calendar
from dataspine.errors import RequestError
from tests.arch.source_tree import ROOT
from tests.unit.calendars.calendar_builder import calendar, session, us

MONDAY, TUESDAY, WEDNESDAY = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)
THREE_DAYS = calendar(
    session("2026-01-05"),
    session("2026-01-06", closes="18:00", is_half_day=True),
    session("2026-01-08"),
    margin_days=1,
)
LUNCH = calendar(session("2026-01-05", "01:30", "08:00", "04:00-05:00"), name="XHKG", zone="Asia/Hong_Kong")


def test_date_lookups():
    assert THREE_DAYS.is_session(MONDAY)
    assert not THREE_DAYS.is_session(WEDNESDAY)
    assert not THREE_DAYS.is_half_day(MONDAY)
    assert THREE_DAYS.is_half_day(TUESDAY)
    assert THREE_DAYS.open_us(TUESDAY) == us("2026-01-06T14:30:00Z")
    assert THREE_DAYS.close_us(TUESDAY) == us("2026-01-06T18:00:00Z")


def test_hours_of_a_closed_date_are_refused_by_name():
    with pytest.raises(
        RequestError, match=r"XNYS is closed on this date, got 2026-01-07.*sessions list XNYS"
    ):
        THREE_DAYS.open_us(WEDNESDAY)


def test_sessions_between_includes_both_ends():
    assert [item.day.day for item in THREE_DAYS.sessions_between(MONDAY, date(2026, 1, 8))] == [5, 6, 8]
    assert [item.day.day for item in THREE_DAYS.sessions_between(TUESDAY, WEDNESDAY)] == [6]
    assert THREE_DAYS.sessions_between(WEDNESDAY, WEDNESDAY) == ()
    assert THREE_DAYS.sessions_between(TUESDAY, MONDAY) == ()


def test_neighbours_of_a_date():
    assert THREE_DAYS.session_after(TUESDAY).day == date(2026, 1, 8)
    assert THREE_DAYS.session_before(TUESDAY).day == MONDAY
    assert THREE_DAYS.session_before(WEDNESDAY).day == TUESDAY
    with pytest.raises(OutsideCalendar, match="the next session is not known"):
        THREE_DAYS.session_after(date(2026, 1, 8))
    with pytest.raises(OutsideCalendar, match="the previous session is not known"):
        THREE_DAYS.session_before(MONDAY)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-01-05T14:29:59.999999Z", None),
        ("2026-01-05T14:30:00Z", MONDAY),
        ("2026-01-05T20:59:59.999999Z", MONDAY),
        ("2026-01-05T21:00:00Z", None),
        ("2026-01-06T18:00:00Z", None),
        ("2026-01-07T15:00:00Z", None),
    ],
)
def test_a_session_holds_its_open_and_not_its_close(instant, day):
    found = THREE_DAYS.session_of(us(instant))
    assert (found and found.day) == day
    assert THREE_DAYS.is_open(us(instant)) is (day is not None)


def test_next_open_is_later_and_previous_close_may_be_now():
    opens, closes = us("2026-01-05T14:30:00Z"), us("2026-01-05T21:00:00Z")
    assert THREE_DAYS.next_open(opens - 1) == opens
    assert THREE_DAYS.next_open(opens) == us("2026-01-06T14:30:00Z")
    assert THREE_DAYS.previous_close(closes) == closes
    assert THREE_DAYS.previous_close(us("2026-01-06T17:59:59Z")) == closes
    with pytest.raises(OutsideCalendar, match="the next open is not known, got 2026-01-08"):
        THREE_DAYS.next_open(us("2026-01-08T14:30:00Z"))
    with pytest.raises(OutsideCalendar, match="the previous close is not known, got 2026-01-05"):
        THREE_DAYS.previous_close(closes - 1)


def test_lunch_is_in_the_session_and_not_open():
    noon, after = us("2026-01-05T04:00:00Z"), us("2026-01-05T05:00:00Z")
    assert LUNCH.session_of(noon) == LUNCH.sessions[0]
    assert LUNCH.is_open(noon - 1)
    assert not LUNCH.is_open(noon)
    assert not LUNCH.is_open(after - 1)
    assert LUNCH.is_open(after)
    assert LUNCH.session_minutes_between(noon - 60_000_000, after + 120_000_000) == 3
    assert LUNCH.sessions[0].open_minutes == 330


@pytest.mark.parametrize(
    ("ask", "found"),
    [
        (lambda found: found.is_session(date(2026, 1, 3)), "2026-01-03"),
        (lambda found: found.is_session(date(2026, 1, 10)), "2026-01-10"),
        (lambda found: found.sessions_between(MONDAY, date(2027, 1, 1)), "2027-01-01"),
        (lambda found: found.session_of(us("2026-01-03T23:59:59Z")), "2026-01-03"),
        (lambda found: found.is_open(us("2026-01-10T00:00:00Z")), "2026-01-10"),
        (lambda found: found.next_open(us("2026-01-10T00:00:00Z")), "2026-01-10"),
        (lambda found: found.session_minutes_between(0, us("2026-01-05T00:00:00Z")), "1970-01-01"),
    ],
)
def test_outside_the_days_nothing_is_guessed(ask, found):
    with pytest.raises(OutsideCalendar) as caught:
        ask(THREE_DAYS)
    said = str(caught.value)
    assert f"got {found} (XNYS, 2026-01-04 to 2026-01-09)" in said
    assert (
        "Ask for a date from 2026-01-04 to 2026-01-09, or reach further: `dataspine sessions refresh" in said
    )


def test_the_last_instant_ends_an_interval_and_is_not_one_of_ours():
    end_us = midnight_us(date(2026, 1, 10))
    assert THREE_DAYS.session_minutes_between(midnight_us(date(2026, 1, 4)), end_us) == 390 + 210 + 390
    with pytest.raises(OutsideCalendar):
        THREE_DAYS.session_minutes_between(end_us, end_us + 1)
    with pytest.raises(OutsideCalendar):
        THREE_DAYS.session_of(end_us)


def test_the_evening_of_the_last_day_is_unknown_where_sessions_open_the_evening_before():
    found = shipped_calendar("24/5")
    opens_us = us("2028-01-02T22:00:00Z") - 2 * 86_400_000_000  # 2027-12-31 is a Friday
    assert found.session_of(opens_us - 60 * US_PER_MINUTE - 1).day == date(2027, 12, 31)
    with pytest.raises(OutsideCalendar):
        found.session_of(opens_us)


def test_minutes_backwards_are_refused():
    with pytest.raises(ValueError, match="the end must not be earlier"):
        THREE_DAYS.session_minutes_between(1, 0)


@pytest.mark.parametrize("name", ["XNYS", "XHKG", "XTKS", "CMES", "24/7", "24/5"])
@given(pair=st.tuples(st.integers(0, 30 * 1440), st.integers(0, 30 * 1440)), month=st.integers(0, 140))
def test_session_minutes_agree_with_a_count_of_open_minutes(name, pair, month):
    found = shipped_calendar(name)
    base_us = midnight_us(date(2016 + month // 12, month % 12 + 1, 2))
    start_us, end_us = (base_us + minute * US_PER_MINUTE for minute in sorted(pair))
    counted = sum(found.is_open(instant) for instant in range(start_us, end_us, US_PER_MINUTE))
    assert found.session_minutes_between(start_us, end_us) == counted


@given(instant_us=st.integers(midnight_us(date(2016, 2, 1)), midnight_us(date(2027, 12, 1))))
def test_open_agrees_with_a_search_through_every_session(instant_us):
    found = shipped_calendar("XHKG")
    holding = [item for item in found.sessions if item.open_us <= instant_us < item.close_us]
    assert found.session_of(instant_us) == (holding[0] if holding else None)
    assert found.is_open(instant_us) is any(
        start <= instant_us < end for item in found.sessions for start, end in item.windows
    )
    assert found.next_open(instant_us) == min(
        item.open_us for item in found.sessions if item.open_us > instant_us
    )
    assert found.previous_close(instant_us) == max(
        item.close_us for item in found.sessions if item.close_us <= instant_us
    )


@given(start=st.integers(0, 10**9), lengths=st.tuples(st.integers(0, 10**13), st.integers(0, 10**13)))
def test_session_minutes_add_up(start, lengths):
    found = shipped_calendar("XTKS")
    first = midnight_us(date(2020, 3, 1)) + start
    middle, last = first + lengths[0], first + sum(lengths)
    whole = found.session_minutes_between(first, last)
    parts = found.session_minutes_between(first, middle) + found.session_minutes_between(middle, last)
    assert whole == pytest.approx(parts, abs=1e-6)


@pytest.mark.parametrize(
    ("sessions", "flaw"),
    [
        ((), "no sessions"),
        ((session("2026-01-05", "21:00", "14:30"),), "2026-01-05 has hours inside out"),
        ((session("2026-01-05", lunch="13:00-15:00"),), "2026-01-05 has hours inside out"),
        ((session("2026-01-06"), session("2026-01-05")), "2026-01-05 does not follow 2026-01-06"),
        ((session("2026-01-05"), session("2026-01-05")), "2026-01-05 does not follow 2026-01-05"),
        ((session("2026-01-02"),), "sessions outside 2026-01-04 to 2026-01-09"),
    ],
)
def test_what_is_no_calendar_is_refused(sessions, flaw):
    with pytest.raises(ValueError, match=flaw):
        Calendar("XNYS", "America/New_York", date(2026, 1, 4), date(2026, 1, 9), sessions)


def test_overlapping_sessions_are_refused():
    late = session("2026-01-06")._replace(open_us=us("2026-01-05T20:59:00Z"))
    with pytest.raises(ValueError, match="2026-01-06 does not follow"):
        calendar(session("2026-01-05"), late)


def test_version_is_of_the_content_alone():
    same = calendar(*THREE_DAYS.sessions, margin_days=1)
    assert same.version == THREE_DAYS.version
    assert THREE_DAYS.version == "5a5e74529f322145485ae83794965a73099f5c345dc67a0b46b26ed4e173c73b"
    one_minute = session("2026-01-08", closes="21:01")
    others = [
        calendar(*THREE_DAYS.sessions[:2], one_minute, margin_days=1),
        calendar(*THREE_DAYS.sessions, margin_days=2),
        calendar(*THREE_DAYS.sessions, margin_days=1, name="XNAS"),
        calendar(*(item._replace(is_half_day=False) for item in THREE_DAYS.sessions), margin_days=1),
    ]
    assert len({THREE_DAYS.version, *(other.version for other in others)}) == 5


def test_lookups_load_nothing_heavy():
    script = "import sys; import dataspine.calendars.lookup; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    )
    heavy = {"polars", "pydantic", "pandas", "exchange_calendars", "zoneinfo", "json", "hashlib", "typer"}
    assert heavy.intersection(done.stdout.split()) == set()


def test_week_of_dates_is_consistent_with_is_session():
    found = shipped_calendar("XLON")
    days = [date(2026, 12, 20) + timedelta(days=offset) for offset in range(14)]
    assert [item.day for item in found.sessions_between(days[0], days[-1])] == [
        day for day in days if found.is_session(day)
    ]
