"""Schedules' texts, their fires on ordinary and extraordinary days, and what a look finds due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dataspine.calendars.lookup import OutsideCalendar
from dataspine.calendars.shipped import shipped_calendar
from dataspine.clock import iso_from_us
from dataspine.errors import ConfigError
from dataspine.scheduling.triggers import (
    DUE_MAX,
    Occurrence,
    due,
    fires_between,
    next_fire,
    schedule_from_profile,
    schedule_from_text,
    seen_after,
)
from dataspine.schemas.job import OccurrenceState
from tests.builders import quote_profile
from tests.unit.calendars.calendar_builder import calendar, session, us

NEW_YORK, LONDON, SYDNEY = "America/New_York", "Europe/London", "Australia/Sydney"
FIRED, LATE = OccurrenceState.FIRED, OccurrenceState.LATE
MISSED, SKIPPED = OccurrenceState.MISSED, OccurrenceState.SKIPPED


def fires(text: str, start: str, end: str, *, zone: str = "UTC", exchange: str | None = None) -> list[str]:
    """Fires from `start` to `end` as UTC texts."""
    schedule = schedule_from_text(text, zone=zone, calendar=shipped_calendar(exchange) if exchange else None)
    return [iso_from_us(fire) for fire in fires_between(schedule, us(start), us(end))]


def on(day: str, *times: str) -> list[str]:
    return [f"{day}T{time}:00Z" for time in times]


def test_one_to_five_is_monday_to_friday():
    found = fires("0 9 * * 1-5", "2026-01-05T00:00Z", "2026-01-12T00:00Z")
    assert [datetime.fromisoformat(fire).strftime("%a") for fire in found] == [
        "Mon",
        "Tue",
        "Wed",
        "Thu",
        "Fri",
    ]


def test_cron_is_in_its_zone():
    winter = fires("30 9 * * *", "2026-01-05T00:00Z", "2026-01-06T00:00Z", zone=NEW_YORK)
    summer = fires("30 9 * * *", "2026-07-06T00:00Z", "2026-07-07T00:00Z", zone=NEW_YORK)
    assert winter + summer == ["2026-01-05T14:30:00Z", "2026-07-06T13:30:00Z"]


def test_an_interval_is_open_at_its_start_and_closed_at_its_end():
    assert fires("0 * * * *", "2026-01-05T09:00Z", "2026-01-05T10:00Z") == on("2026-01-05", "10:00")
    assert fires("0 * * * *", "2026-01-05T10:00Z", "2026-01-05T10:00Z") == []
    schedule = schedule_from_text("0 * * * *")
    assert next_fire(schedule, us("2026-01-05T09:59:59.999999Z")) == us("2026-01-05T10:00:00Z")


@pytest.mark.parametrize(
    ("zone", "hour", "start", "fire"),
    [
        (NEW_YORK, 2, "2025-03-09", "2025-03-09T07:00:00Z"),
        (NEW_YORK, 2, "2026-03-08", "2026-03-08T07:00:00Z"),
        (LONDON, 1, "2025-03-30", "2025-03-30T01:00:00Z"),
        (LONDON, 1, "2026-03-29", "2026-03-29T01:00:00Z"),
        (SYDNEY, 2, "2025-10-05", "2025-10-04T16:00:00Z"),
        (SYDNEY, 2, "2026-10-04", "2026-10-03T16:00:00Z"),
    ],
)
def test_a_time_that_clocks_skip_comes_at_the_end_of_the_gap(zone, hour, start, fire):
    around = (f"{start}T00:00:00Z", f"{start}T12:00:00Z")
    if zone == SYDNEY:
        around = (fire.replace("T16", "T10"), f"{start}T03:00:00Z")
    assert fires(f"30 {hour} * * *", *around, zone=zone) == [fire]
    # Two times within one gap come together, and so once.
    assert fires(f"15,45 {hour} * * *", *around, zone=zone) == [fire]


@pytest.mark.parametrize(
    ("zone", "hour", "fire", "second"),
    [
        (NEW_YORK, 1, "2025-11-02T05:30:00Z", "2025-11-02T06:30:00Z"),
        (NEW_YORK, 1, "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"),
        (LONDON, 1, "2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"),
        (LONDON, 1, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        (SYDNEY, 2, "2025-04-05T15:30:00Z", "2025-04-05T16:30:00Z"),
        (SYDNEY, 2, "2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z"),
    ],
)
def test_a_time_that_comes_twice_fires_the_first_time(zone, hour, fire, second):
    schedule = schedule_from_text(f"30 {hour} * * *", zone=zone)
    day_us = 24 * 3_600 * 1_000_000
    assert fires_between(schedule, us(fire) - 3_600_000_000, us(second) + 3_600_000_000) == (us(fire),)
    # Asked anew within the second hour, it neither goes back nor repeats itself.
    for after_us in (us(fire), us(second) - 1_200_000_000, us(second)):
        assert next_fire(schedule, after_us) == us(second) + day_us


def test_every_half_hour_goes_on_evenly_where_clocks_change():
    spring = fires("*/30 * * * *", "2026-03-08T06:00Z", "2026-03-08T08:00Z", zone=NEW_YORK)
    autumn = fires("*/30 * * * *", "2026-11-01T05:00Z", "2026-11-01T07:00Z", zone=NEW_YORK)
    assert spring == on("2026-03-08", "06:30", "07:00", "07:30", "08:00")
    assert autumn == on("2026-11-01", "05:30", "06:00", "06:30", "07:00")


def test_session_offsets_on_a_full_and_a_half_day():
    text = "open+5m, close-10m, close+20m"
    full = fires(text, "2026-11-25T00:00Z", "2026-11-26T00:00Z", exchange="XNYS")
    half = fires(text, "2026-11-27T00:00Z", "2026-11-28T00:00Z", exchange="XNYS")
    assert full == on("2026-11-25", "14:35", "20:50", "21:20")
    assert half == on("2026-11-27", "14:35", "17:50", "18:20")


def test_holidays_and_weekends_have_no_session_fires():
    assert fires("open", "2026-11-26T00:00Z", "2026-11-27T14:30Z", exchange="XNYS") == on(
        "2026-11-27", "14:30"
    )
    assert fires("close", "2026-01-09T21:00Z", "2026-01-12T20:00Z", exchange="XNYS") == []


def test_session_offsets_follow_the_exchanges_clock_over_a_change():
    found = fires("open+5m", "2026-03-06T00:00Z", "2026-03-10T00:00Z", exchange="XNYS")
    assert found == ["2026-03-06T14:35:00Z", "2026-03-09T13:35:00Z"]


@pytest.mark.parametrize(
    ("exchange", "expected"),
    [
        ("XHKG", ["01:30", "02:30", "03:30", "05:00", "06:00", "07:00"]),
        # Tokyo closes at 15:30 since November 2024.
        ("XTKS", ["00:00", "01:00", "02:00", "03:30", "04:30", "05:30"]),
    ],
)
def test_every_hour_in_session_rests_at_lunch(exchange, expected):
    found = fires("every 1h in session", "2026-01-06T23:00Z", "2026-01-07T12:00Z", exchange=exchange)
    assert found == on("2026-01-07", *expected)


def test_every_interval_begins_at_the_open_and_ends_before_the_close():
    found = fires("every 15m in session", "2026-11-27T00:00Z", "2026-11-28T00:00Z", exchange="XNYS")
    assert (found[0], found[-1], len(found)) == ("2026-11-27T14:30:00Z", "2026-11-27T17:45:00Z", 14)


def test_an_offset_past_the_next_open_stays_in_order_and_equal_instants_come_once():
    days = calendar(
        session("2026-01-05"),
        session("2026-01-06"),
        session("2026-01-07"),
        session("2026-01-08"),
        margin_days=5,
    )
    schedule = schedule_from_text("close+20h, open+5m, open+300s", calendar=days)
    found = [next_fire(schedule, us("2026-01-05T14:30Z"))]
    while len(found) < 4:
        found.append(next_fire(schedule, found[-1]))
    assert [iso_from_us(fire) for fire in found] == [
        "2026-01-05T14:35:00Z",
        "2026-01-06T14:35:00Z",
        "2026-01-06T17:00:00Z",
        "2026-01-07T14:35:00Z",
    ]


def test_an_open_minus_a_day_is_found_from_before():
    assert fires("open-24h", "2026-01-06T00:00Z", "2026-01-06T20:00Z", exchange="XNYS") == on(
        "2026-01-06", "14:30"
    )


def test_an_offset_before_the_open_may_come_before_the_session_before_is_done():
    found = fires("open-24h, open+5m", "2026-01-06T14:00Z", "2026-01-07T14:00Z", exchange="XNYS")
    assert found == on("2026-01-06", "14:30", "14:35")


def test_where_the_calendar_ends_there_is_an_error_and_no_silence():
    days = calendar(session("2026-01-05"), session("2026-01-06"), margin_days=5)
    with pytest.raises(OutsideCalendar, match="sessions refresh"):
        next_fire(schedule_from_text("open", calendar=days), us("2026-01-06T15:00Z"))


def test_a_profile_has_a_schedule_or_none():
    assert schedule_from_profile(quote_profile(), None) is None
    found = schedule_from_profile(quote_profile(schedule="30 9 * * 1-5", schedule_zone=NEW_YORK), None)
    assert found is not None
    assert next_fire(found, us("2026-01-09T13:30Z")) == us("2026-01-09T14:30Z")
    sessions = schedule_from_profile(
        quote_profile(schedule="Close + 20m", calendar="XNYS"), shipped_calendar("XNYS")
    )
    assert sessions is not None
    assert next_fire(sessions, us("2026-01-09T13:30Z")) == us("2026-01-09T21:20Z")


@pytest.mark.parametrize(
    "text",
    [
        *("", "often", "* * * *", "* * * * * *", "61 * * * *", "0 9 * * 1-8", "*/0 * * * *", "a b c d e"),
        *("0 0 30 2 *", f"{'9' * 5_000} * * * *", f"{'9' * 190} * * * *", "٣ * * * *", "@daily"),
        *(
            "open+",
            "open+5",
            "open 5m",
            "opening",
            "close+-5m",
            "open+5d",
            "open+5m;close",
            "noon+5m",
            "open,,close",
        ),
        *("every 5m", "every 0m in session", "every -5m in session", "in session every 5m", "open+25h"),
    ],
)
def test_text_that_is_not_understood_names_the_source_and_what_is(text):
    with pytest.raises(ConfigError) as found:
        schedule_from_profile(quote_profile(schedule=text), shipped_calendar("XNYS"))
    assert "source quotes" in str(found.value)
    assert "at most a day" in str(found.value) or "every 15m in session" in str(found.value)


def test_a_bad_field_is_named():
    with pytest.raises(ConfigError, match="Bad hour"):
        schedule_from_text("0 25 * * *")


def test_session_offsets_without_a_calendar_are_refused():
    with pytest.raises(ConfigError, match=r'need a calendar.*calendar = "XNYS"'):
        schedule_from_text("open+5m")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "America", "", "../etc/passwd"])
def test_a_zone_that_is_none_is_refused(zone):
    with pytest.raises(ConfigError, match="schedule_zone must be an IANA time zone"):
        schedule_from_text("0 9 * * *", zone=zone)


HOURLY = schedule_from_text("0 * * * *")
NOON_US = us("2026-01-05T12:00Z")
MINUTE_US = 60_000_000


def looked(policy, *, now_us: int, last: str = "2026-01-05T08:30Z") -> list[tuple[str, OccurrenceState]]:
    found = due(HOURLY, us(last), now_us, policy)
    return [(iso_from_us(planned_us)[11:16], state) for planned_us, state in found]


@pytest.mark.parametrize(
    ("policy", "states"),
    [
        ("all", [LATE, LATE, LATE, FIRED]),
        ("latest", [MISSED, MISSED, MISSED, FIRED]),
        ("skip", [SKIPPED, SKIPPED, SKIPPED, FIRED]),
    ],
)
def test_what_was_missed_before_a_fire_in_time(policy, states):
    expected = list(zip(["09:00", "10:00", "11:00", "12:00"], states, strict=True))
    assert looked(policy, now_us=NOON_US) == expected
    assert looked(policy, now_us=NOON_US + MINUTE_US) == expected


@pytest.mark.parametrize(
    ("policy", "states"),
    [
        ("all", [LATE, LATE, LATE, LATE]),
        ("latest", [MISSED, MISSED, MISSED, LATE]),
        ("skip", [SKIPPED, SKIPPED, SKIPPED, SKIPPED]),
    ],
)
def test_past_its_grace_a_fire_is_late(policy, states):
    assert [state for _, state in looked(policy, now_us=NOON_US + MINUTE_US + 1)] == states


def test_nothing_is_due_before_the_first_look_or_without_time_passing():
    assert due(HOURLY, None, NOON_US, "all") == []
    assert due(HOURLY, NOON_US, NOON_US, "all") == []
    assert due(HOURLY, NOON_US + 1, NOON_US, "all") == []
    assert looked("all", now_us=NOON_US, last="2026-01-05T11:00:00Z") == [("12:00", FIRED)]


@pytest.mark.parametrize(("policy", "last"), [("all", LATE), ("latest", LATE), ("skip", SKIPPED)])
def test_a_long_outage_is_listed_page_by_page(policy, last):
    minutes = schedule_from_text("* * * * *")
    seen_us, now_us = NOON_US, NOON_US + (2 * DUE_MAX + 10) * MINUTE_US + 59_000_000
    pages = []
    while page := due(minutes, seen_us, now_us, policy, grace_s=0):
        pages.append(page)
        seen_us = seen_after(seen_us, now_us, page)
    assert [len(page) for page in pages] == [DUE_MAX, DUE_MAX, 10]
    listed = [occurrence for page in pages for occurrence in page]
    assert [planned_us for planned_us, _ in listed] == [
        NOON_US + n * MINUTE_US for n in range(1, len(listed) + 1)
    ]
    assert listed[-1].state is last
    assert {state for _, state in listed[:-1]} == {MISSED if policy == "latest" else last}
    assert seen_us == now_us


def test_a_page_that_ends_with_the_last_fire_still_runs_it():
    minutes = schedule_from_text("* * * * *")
    now_us = NOON_US + DUE_MAX * MINUTE_US
    page = due(minutes, NOON_US, now_us, "latest")
    assert (len(page), page[-1]) == (DUE_MAX, Occurrence(now_us, FIRED))


def test_a_small_step_back_repeats_nothing_and_a_large_one_goes_on():
    seen_us = NOON_US
    assert seen_after(seen_us, NOON_US - MINUTE_US, []) == seen_us
    assert seen_after(seen_us, NOON_US - MINUTE_US - 1, []) == NOON_US - MINUTE_US - 1
    assert seen_after(seen_us, NOON_US + 5, []) == NOON_US + 5


def test_a_schedule_in_utc_is_that_of_the_zone_utc():
    ends = (us("2026-01-01T00:00Z"), us("2026-02-01T00:00Z"))
    plain, named = (schedule_from_text("15 3 */3 * *", zone=zone) for zone in ("UTC", "Etc/UTC"))
    assert plain.zone is UTC
    assert fires_between(plain, *ends) == fires_between(named, *ends)
