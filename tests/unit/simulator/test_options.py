"""From options to a plan: which sessions, when time begins and how fast it goes, and what is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from dataspine.clock import FrozenClock
from dataspine.errors import RequestError
from dataspine.simulator.drop import DropPlan, DropStyle
from dataspine.simulator.options import SimulationOptions, plan_from_options
from dataspine.simulator.simulated_clock import LiveClock
from dataspine.simulator.simulation import SimulationPlan
from tests.unit.simulator.market_under_test import MONDAY, TUESDAY, at

NOW_US = at("12:00")


def made(**options) -> SimulationPlan:
    return plan_from_options(SimulationOptions(**options), clock=FrozenClock(NOW_US))


def days(plan: SimulationPlan) -> list[str]:
    return [session.day.isoformat() for session in plan.sessions]


def test_without_options_the_last_session_is_played_at_sixty():
    plan = made()
    assert days(plan) == ["2026-01-02"]
    assert plan.start_us == plan.sessions[0].open_us
    assert (plan.speed, len(plan.tickers), plan.drop) == (60.0, 20, None)


def test_sessions_are_counted_not_days():
    assert days(made(day=date(2025, 11, 26), days=3)) == ["2025-11-26", "2025-11-28", "2025-12-01"]


def test_a_holiday_begins_with_the_next_session():
    assert days(made(day=date(2026, 1, 3))) == ["2026-01-05"]


def test_live_begins_now():
    plan = made(speed="live")
    assert days(plan) == ["2026-01-05"]
    clock = plan.market_clock(FrozenClock(NOW_US))
    assert isinstance(clock, LiveClock)
    assert clock.now_us() == NOW_US


def test_time_ends_before_the_session_after_the_last():
    plan = made(day=MONDAY.day, speed="100000x")
    clock = FrozenClock(0)
    simulated = plan.market_clock(clock)
    clock.advance_s(3_600)
    assert simulated.now_us() == TUESDAY.open_us - 1


def test_a_start_is_a_time_of_the_exchange():
    assert made(day=MONDAY.day, start="11:15").start_us == at("11:15")


def test_faults_come_from_the_file_and_the_line(tmp_path):
    file = tmp_path / "faults.toml"
    file.write_text('[[fault]]\nname = "hang"\nat = "11:00"\n')
    plan = made(day=MONDAY.day, faults_file=file, faults=("garbage@10:00",))
    assert [fault.name for fault in plan.schedule.faults] == ["hang", "garbage"]
    assert plan.schedule.faults[1].start_us == at("10:00")


def test_a_drop_has_a_style_and_a_length():
    plan = made(drop_dir=Path("in"), drop_style="done", drop_every="15m")
    assert plan.drop == DropPlan(Path("in"), DropStyle.DONE, 900)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"speed": "60"}, "--speed"),
        ({"speed": "0x"}, "--speed"),
        ({"speed": "100001x"}, "--speed"),
        ({"speed": "fast"}, "--speed"),
        ({"speed": "live", "day": MONDAY.day}, "--date"),
        ({"speed": "live", "start": "10:00"}, "--start"),
        ({"start": "ten"}, "--start"),
        ({"symbols": 0}, "--symbols"),
        ({"drop_dir": Path("in"), "drop_style": "ftp"}, "--drop-style"),
        ({"drop_dir": Path("in"), "drop_every": "0m"}, "--drop-every"),
        ({"day": date(1990, 1, 1)}, "outside the calendar"),
    ],
)
def test_wrong_options_are_named(options, found):
    with pytest.raises(RequestError, match=found):
        made(**options)
