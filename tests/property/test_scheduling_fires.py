"""Nothing fires twice and nothing is lost: over weeks in which clocks change, stops, and clocks set back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspine.calendars.shipped import shipped_calendar
from dataspine.clock import FrozenClock, datetime_from_us
from dataspine.errors import ConfigError
from dataspine.scheduling.triggers import (
    Schedule,
    due,
    fires_between,
    next_fire,
    schedule_from_text,
    seen_after,
)
from dataspine.schemas.job import OccurrenceState
from tests.unit.calendars.calendar_builder import us

MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
WEEK = timedelta(days=7)
CHANGES = {
    "America/New_York": ("2025-03-09", "2025-11-02", "2026-03-08", "2026-11-01"),
    "Europe/London": ("2025-03-30", "2025-10-26", "2026-03-29", "2026-10-25"),
    "Australia/Sydney": ("2025-04-06", "2025-10-05", "2026-04-05", "2026-10-04"),
}
"""Dates on which clocks change, 2025 and 2026."""
FORTNIGHTS = [(zone, day) for zone, days in CHANGES.items() for day in days]
RUN = (OccurrenceState.FIRED, OccurrenceState.LATE)
fortnights = st.sampled_from(FORTNIGHTS)
minutes, hours = st.integers(0, 59), st.integers(0, 23)


def ends_of(zone: str, day: str) -> tuple[int, int]:
    """The instants just before midnight, local time, a week before and a week after a change."""
    change = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    first, last = ((change + step).astimezone(UTC).isoformat() for step in (-WEEK, WEEK))
    return us(first) - 1, us(last) - 1


def local_dates(fires: tuple[int, ...], zone: str) -> list[date]:
    return [datetime_from_us(fire).astimezone(ZoneInfo(zone)).date() for fire in fires]


@cache
def wall_times(zone: str, day: str) -> dict[int, tuple[int, int]]:
    """Every minute of a fortnight, and hour and minute that a clock on the wall shows then."""
    start_us, end_us = ends_of(zone, day)
    place = ZoneInfo(zone)
    shown = {
        fire: datetime_from_us(fire).astimezone(place) for fire in range(start_us + 1, end_us + 1, MINUTE_US)
    }
    return {fire: (wall.hour, wall.minute) for fire, wall in shown.items()}


@given(fortnights, hours, minutes)
@settings(max_examples=60)
def test_a_daily_time_fires_once_on_each_of_the_14_dates(fortnight, hour, minute):
    zone, day = fortnight
    fires = fires_between(schedule_from_text(f"{minute} {hour} * * *", zone=zone), *ends_of(zone, day))
    first = date.fromisoformat(day) - WEEK
    assert local_dates(fires, zone) == [first + timedelta(days=number) for number in range(14)]
    walls = wall_times(zone, day)
    shown = [fire for fire, wall in walls.items() if wall == (hour, minute)]
    firsts = dict(zip(reversed(local_dates(tuple(shown), zone)), reversed(shown), strict=True))
    for fire, local in zip(fires, local_dates(fires, zone), strict=True):
        if local in firsts:
            assert fire == firsts[local]
        else:
            # The wall jumped over the time: it fires with the first minute after that.
            assert walls[fire - MINUTE_US] < (hour, minute) < walls[fire]


@given(fortnights, st.integers(7, 59), st.none() | hours)
@settings(max_examples=30)
def test_a_star_follows_the_clock_on_the_wall(fortnight, step, hour):
    zone, day = fortnight
    text = f"*/{step} {'*' if hour is None else hour} * * *"
    fires = fires_between(schedule_from_text(text, zone=zone), *ends_of(zone, day))
    shown = wall_times(zone, day).items()
    assert list(fires) == [fire for fire, wall in shown if wall[1] % step == 0 and hour in (None, wall[0])]


def schedules(zone: str) -> st.SearchStrategy[Schedule]:
    """Cron of each kind in a zone, and session offsets."""
    days = st.sampled_from(("*", "1-5", "0", "MON,WED"))
    cron = st.one_of(
        st.builds("{} {} * * {}".format, minutes, hours, days),
        st.builds("{},{} {}-{} * * {}".format, minutes, minutes, st.integers(0, 2), st.integers(2, 4), days),
        st.builds("*/{} {} * * {}".format, st.integers(7, 59), hours, days),
        st.builds("{} */{} * * {}".format, minutes, st.integers(1, 12), days),
    )
    exchange = {"America/New_York": "XNYS", "Europe/London": "XLON"}.get(zone, "XHKG")
    offsets = st.builds(
        "{}{}{}m".format, st.sampled_from(("open", "close")), st.sampled_from("+-"), st.integers(0, 900)
    )
    terms = st.lists(offsets | st.just("every 40m in session"), min_size=1, max_size=3).map(", ".join)
    calendar = shipped_calendar(exchange)
    return st.one_of(
        cron.map(lambda text: schedule_from_text(text, zone=zone)),
        terms.map(lambda text: schedule_from_text(text, calendar=calendar)),
    )


@given(st.data(), fortnights)
@settings(max_examples=40)
def test_looking_anew_at_any_instant_changes_nothing(data, fortnight):
    zone, day = fortnight
    schedule = data.draw(schedules(zone))
    start_us, end_us = ends_of(zone, day)
    change_us = (start_us + end_us) // 2
    near = st.integers(change_us - DAY_US // 4, change_us + DAY_US // 4)
    cuts = sorted({start_us, *data.draw(st.lists(near, max_size=8)), end_us})
    whole = fires_between(schedule, start_us, end_us)
    pieces = [fires_between(schedule, a, b) for a, b in pairwise(cuts)]
    assert [fire for piece in pieces for fire in piece] == list(whole)
    assert list(whole) == sorted(set(whole))
    for cut in cuts[:-1]:
        assert next_fire(schedule, cut) == next(
            (fire for fire in whole if fire > cut), next_fire(schedule, end_us)
        )


@given(st.data(), fortnights, st.sampled_from(("skip", "latest", "all")))
@settings(max_examples=50)
def test_an_engine_that_stops_and_starts_lists_every_fire_once(data, fortnight, policy):
    zone, day = fortnight
    schedule = data.draw(schedules(zone))
    start_us, end_us = ends_of(zone, day)
    change_us = (start_us + end_us) // 2
    # Six hours on either side of the change, looked at every 30 s at least, with outages in between.
    clock, seen_us = FrozenClock(change_us - DAY_US // 4), change_us - DAY_US // 4
    first_us, stop_us = seen_us, change_us + DAY_US // 4
    outages = iter(data.draw(st.lists(st.integers(0, 4 * 3_600), max_size=6)))
    listed = []
    while clock.now_us() < stop_us:
        fire_us = next_fire(schedule, clock.now_us())
        clock.advance_s(min((fire_us or stop_us) - clock.now_us(), DAY_US // 8) / 1e6 + next(outages, 0))
        found = due(schedule, seen_us, clock.now_us(), policy)
        seen_us = seen_after(seen_us, clock.now_us(), found)
        listed += found
    planned = [occurrence.planned_us for occurrence in listed]
    assert planned == list(fires_between(schedule, first_us, clock.now_us()))
    late = [occurrence for occurrence in listed if occurrence.state not in RUN]
    assert not late or policy != "all"


@given(st.lists(st.floats(-60, 90), min_size=5, max_size=60), st.integers(1, 7))
def test_small_steps_back_fire_nothing_twice_and_lose_nothing(steps_s, every):
    schedule = schedule_from_text(f"*/{every} * * * *")
    clock = FrozenClock(us("2026-01-09T14:00Z"))
    first_us = seen_us = furthest_us = clock.now_us()
    runs = []
    for step_s in steps_s:
        # A clock is set back from the furthest instant that was seen, never by more than a minute.
        clock.advance_s(max(step_s, (furthest_us - clock.now_us()) / 1e6 - 60))
        found = due(schedule, seen_us, clock.now_us(), "all")
        seen_us = seen_after(seen_us, clock.now_us(), found)
        furthest_us = max(furthest_us, clock.now_us())
        runs += [occurrence.planned_us for occurrence in found]
    assert runs == list(fires_between(schedule, first_us, furthest_us))


@given(st.integers(61, 30 * 86_400))
def test_a_large_step_back_stalls_no_schedule(step_s):
    schedule = schedule_from_text("* * * * *")
    clock = FrozenClock(us("2026-01-09T14:00:30Z"))
    seen_us = clock.now_us()
    clock.advance_s(-step_s)
    assert due(schedule, seen_us, clock.now_us(), "all") == []
    seen_us = seen_after(seen_us, clock.now_us(), [])
    clock.advance_s(60)
    assert [item.state for item in due(schedule, seen_us, clock.now_us(), "all")] == [OccurrenceState.FIRED]


@given(st.text(max_size=60) | st.text("0123456789*/-,#Lopenclsvryim +", max_size=30))
@settings(max_examples=200)
def test_any_text_is_a_schedule_or_a_named_mistake(text):
    try:
        schedule = schedule_from_text(text, calendar=shipped_calendar("XNYS"))
    except ConfigError:
        return
    fire_us = next_fire(schedule, us("2026-01-09T14:00Z"))
    assert fire_us is None or fire_us > us("2026-01-09T14:00Z")


@pytest.mark.parametrize(("zone", "day"), FORTNIGHTS)
def test_the_fortnights_do_hold_a_change(zone, day):
    start_us, end_us = ends_of(zone, day)
    assert abs(end_us - start_us - 14 * DAY_US) == 60 * MINUTE_US
