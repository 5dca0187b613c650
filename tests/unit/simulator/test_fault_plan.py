"""Faults as people write them: every part of the form, and what is refused."""

from __future__ import annotations

import pytest

from dataspine.errors import ConfigError, RequestError
from dataspine.simulator.fault_plan import FaultCalendar, duration_s, faults_from_texts, faults_from_toml
from dataspine.simulator.faults import FAULT_KINDS, FaultName, PlannedFault, Vendor
from tests.unit.simulator.market_under_test import MONDAY, TUESDAY, at

CALENDAR = FaultCalendar(MONDAY.day, "America/New_York")


def planned(text: str) -> PlannedFault:
    (fault,) = faults_from_texts([text], CALENDAR)
    return fault


@pytest.mark.parametrize("name", FaultName)
def test_a_name_and_a_time_are_enough(name):
    kind = FAULT_KINDS[name]
    wanted = PlannedFault(name, at("10:30"), kind.duration_s, kind.default, kind.vendors)
    assert planned(f"{name}@10:30") == wanted


def test_every_part_can_be_said():
    fault = planned("aggs.server_errors@2026-01-06T15:59+90s:503")
    assert fault.vendors == (Vendor.AGGS,)
    assert fault.start_us == at("15:59", day=TUESDAY.day)
    assert (fault.duration_s, fault.parameter) == (90, 503)


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("5m", 300), ("2h", 7_200), ("366d", 31_622_400)])
def test_durations(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["0s", "367d", "5", "m", "5w", "-5m", "5m5s", ""])
def test_wrong_durations(text):
    with pytest.raises(ValueError, match="90s"):
        duration_s(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hang", "spelled"),
        ("hang@9:30", "spelled"),
        ("hang@09:30:x", "spelled"),
        ("HANG@09:30", "spelled"),
        ("flood@09:30", "is none of"),
        ("broker.hang@09:30", "is none of"),
        ("executions.hang@09:30", "can happen to quotes, aggs"),
        ("hang@25:00", "25:00"),
        ("hang@2026-02-30T09:30", "2026-02-30"),
        ("hang@09:30+0m", "duration"),
        ("hang@09:30+5w", "duration"),
        ("hang@09:30:0", "1 to 600"),
        ("hang@09:30:601", "1 to 600"),
        ("stale_feed@09:30:1", "takes no number"),
        ("server_errors@09:30:499", "500 to 599"),
    ],
)
def test_a_wrong_fault_is_refused_with_the_form(text, found):
    with pytest.raises(RequestError, match=found) as caught:
        planned(text)
    assert "server_errors@10:30+5m" in str(caught.value)


def test_a_file_says_the_same_as_the_command_line(tmp_path):
    file = tmp_path / "faults.toml"
    file.write_text(
        '[[fault]]\nname = "hang"\nat = "11:00"\n\n'
        '[[fault]]\nname = "late_prints"\nat = "2026-01-06T10:00"\nduration = "2m"\nnumber = 30\n'
        'vendor = "executions"\n'
    )
    texts = ["hang@11:00", "executions.late_prints@2026-01-06T10:00+2m:30"]
    assert faults_from_toml(file, CALENDAR) == faults_from_texts(texts, CALENDAR)


@pytest.mark.parametrize(
    "text",
    [
        "[[fault]\n",
        'faults = "none"\n',
        "fault = 3\n",
        "[[fault]]\nname = 'hang'\n",
        "[[fault]]\nname = 'hang'\nat = '11:00'\nwhen = '12:00'\n",
        "[[fault]]\nname = 'hang'\nat = 11\n",
        "[[fault]]\nname = 'hang'\nat = '11:00'\nnumber = '5'\n",
        "[[fault]]\nname = 'hang'\nat = '11:00'\nnumber = true\n",
        "[[fault]]\nname = 3\nat = '11:00'\n",
        "fault = ['hang']\n",
    ],
)
def test_a_wrong_file_is_named(tmp_path, text):
    file = tmp_path / "faults.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"faults\.toml"):
        faults_from_toml(file, CALENDAR)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.toml"):
        faults_from_toml(tmp_path / "gone.toml", CALENDAR)
