"""Slots as columns: the bars a session should have, around lunch, on half days, and against a plain count."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from dataspine.calendars.shipped import shipped_calendar
from dataspine.calendars.slots import sessions_frame, slots_frame
from tests.unit.calendars.calendar_builder import us

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)


def test_a_full_and_a_half_day_of_minutes():
    frame = slots_frame(shipped_calendar("XNYS"), date(2026, 11, 25), date(2026, 11, 27), interval_s=60)
    counts = frame.group_by("day", maintain_order=True).len()
    assert counts.rows() == [(date(2026, 11, 25), 390), (date(2026, 11, 27), 210)]
    first, last = frame.row(0), frame.row(-1)
    assert first == (date(2026, 11, 25), 0, us("2026-11-25T09:30:00-05:00"))
    assert last == (date(2026, 11, 27), 209, us("2026-11-27T12:59:00-05:00"))


def test_bars_begin_again_after_lunch():
    frame = slots_frame(shipped_calendar("XHKG"), MONDAY, MONDAY, interval_s=3600)
    starts = [
        us(f"2026-01-05T{clock}:00+08:00") for clock in ("09:30", "10:30", "11:30", "13:00", "14:00", "15:00")
    ]
    assert frame["start_us"].to_list() == starts
    assert frame["slot"].to_list() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("interval_s", "slots"), [(86_400, 1), (23_400, 1), (23_399, 2)])
def test_an_interval_as_long_as_the_session_is_one_bar(interval_s, slots):
    frame = slots_frame(shipped_calendar("XNYS"), MONDAY, MONDAY, interval_s=interval_s)
    assert frame.height == slots


def test_daily_bars_ignore_lunch():
    assert slots_frame(shipped_calendar("XTKS"), MONDAY, TUESDAY, interval_s=86_400)["day"].to_list() == [
        MONDAY,
        TUESDAY,
    ]


@pytest.mark.parametrize("name", ["XNYS", "XHKG", "XTKS", "CMES", "24/7", "24/5"])
@pytest.mark.parametrize("interval_s", [60, 300, 420])
def test_slots_are_the_starts_within_each_window(name, interval_s):
    found = shipped_calendar(name)
    first, last = date(2026, 3, 2), date(2026, 3, 31)
    counted = [
        start
        for session in found.sessions_between(first, last)
        for start_us, end_us in session.windows
        for start in range(start_us, end_us, interval_s * 1_000_000)
    ]
    assert slots_frame(found, first, last, interval_s=interval_s)["start_us"].to_list() == counted


def test_sessions_frame_is_typed_also_when_empty():
    found = shipped_calendar("XNYS")
    empty = sessions_frame(found, date(2026, 1, 10), date(2026, 1, 11))
    full = sessions_frame(found, MONDAY, TUESDAY)
    assert empty.height == 0
    assert empty.schema == full.schema
    assert full.schema["day"] == pl.Date
    assert full["break_start_us"].to_list() == [None, None]
    assert slots_frame(found, date(2026, 1, 10), date(2026, 1, 11), interval_s=60).height == 0


def test_an_interval_must_be_positive():
    with pytest.raises(ValueError, match="an interval must be positive, got 0"):
        slots_frame(shipped_calendar("XNYS"), MONDAY, MONDAY, interval_s=0)
