"""Sessions as text: exact there and back, the same bytes every time, and refused when altered."""

from __future__ import annotations

import json
from datetime import date
from importlib.resources import files

import pytest

from dataspine.calendars.session_text import calendar_from_text, text_from_calendar
from dataspine.calendars.shipped import CALENDARS, file_name, shipped_calendar
from tests.unit.calendars.calendar_builder import calendar, session

SMALL = calendar(
    session("2025-12-31", "01:30", "08:00", "04:00-05:00"),
    session("2026-01-02", "01:30", "08:00", "04:00-05:00"),
    session("2026-01-05", "01:30", "08:00", "04:00-05:00"),
    session("2026-01-06", "01:30", "04:00", is_half_day=True),
    name="XHKG",
    zone="Asia/Hong_Kong",
)


def test_a_run_is_alike_neighbours_of_one_year():
    assert json.loads(text_from_calendar(SMALL))["runs"] == [
        ["2025-12-31", [90, 240, 300, 480], "full", ""],
        ["2026-01-02", [90, 240, 300, 480], "full", "3"],
        ["2026-01-06", [90, 240], "half", ""],
    ]


@pytest.mark.parametrize("name", CALENDARS)
def test_shipped_files_are_what_is_written_again(name):
    text = files("dataspine.calendars").joinpath("sessions", file_name(name)).read_text(encoding="ascii")
    found = calendar_from_text(text)
    assert text_from_calendar(found) == text
    assert calendar_from_text(text_from_calendar(found)).made_by == found.made_by


def test_evening_before_is_negative():
    runs = json.loads(text_from_calendar(shipped_calendar("CMES")))["runs"]
    assert runs[0][1] == [-60, 1380]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[90, 240]", "[90, 241]"),
        ('"2026-01-02", [', '"2026-01-01", ['),
        ('"half"', '"full"'),
        ("Asia/Hong_Kong", "Asia/Tokyo"),
        ('"last_day": "2026-01-06"', '"last_day": "2026-01-07"'),
    ],
)
def test_altered_text_is_not_its_version(old, new):
    text = text_from_calendar(SMALL)
    assert old in text
    with pytest.raises(ValueError, match="the sessions of XHKG are not those of version"):
        calendar_from_text(text.replace(old, new))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        text_from_calendar(SMALL).replace('"runs"', '"rows"'),
        text_from_calendar(SMALL).replace("[90, 240]", "[90]"),
        text_from_calendar(SMALL).replace("[90, 240]", "[90, 100, 240]"),
        text_from_calendar(SMALL).replace('"full", "3"', '"full", "?"'),
    ],
)
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        calendar_from_text(text)


def test_what_the_form_cannot_hold_is_refused():
    odd = session("2026-01-05")._replace(open_us=session("2026-01-05").open_us + 1)
    with pytest.raises(ValueError, match="the hours of 2026-01-05 are no whole minutes"):
        text_from_calendar(calendar(odd))
    far = calendar(session("2026-01-05"), session("2026-02-10"))
    with pytest.raises(ValueError, match="more than 35 days apart"):
        text_from_calendar(far)
    edge = calendar(session("2026-01-05"), session("2026-02-09"))
    assert calendar_from_text(text_from_calendar(edge)).sessions[1].day == date(2026, 2, 9)
