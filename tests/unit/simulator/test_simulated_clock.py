"""Simulated time: as fast as it is told, never past its end, and live the machine's own."""

from __future__ import annotations

from dataspine.clock import FrozenClock, HeldClock
from dataspine.simulator.simulated_clock import LiveClock, SimulatedClock


def test_a_minute_passes_in_a_second_at_sixty():
    clock = FrozenClock(5_000_000_000)
    simulated = SimulatedClock(clock, anchor_us=100, speed=60, end_us=10**12)
    assert simulated.now_us() == 100
    clock.advance_s(1.5)
    assert simulated.now_us() == 100 + 90_000_000


def test_time_stands_still_at_its_end():
    clock = FrozenClock(0)
    simulated = SimulatedClock(clock, anchor_us=0, speed=1, end_us=2_000_000)
    clock.advance_s(2)
    assert simulated.now_us() == 2_000_000
    clock.advance_s(1)
    assert simulated.now_us() == 2_000_000


def test_time_goes_on_although_the_date_is_held():
    """`--now` holds the date of the whole program still, not the simulation."""
    simulated = SimulatedClock(HeldClock(0), anchor_us=0, speed=100_000, end_us=10**15)
    first = simulated.now_us()
    assert any(simulated.now_us() > first for _ in range(10_000))


def test_live_is_now():
    clock = FrozenClock(77)
    live = LiveClock(clock)
    clock.advance_s(1)
    assert live.now_us() == 1_000_077
