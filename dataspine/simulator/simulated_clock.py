"""The time in which the market lives: an anchor and a speed over the machine's own clock, or simply now."""

from __future__ import annotations

from dataspine.clock import Clock


class SimulatedClock:
    """Simulated instants; with `speed` 60 a minute passes every second, and time ends at `end_us`."""

    def __init__(self, clock: Clock, *, anchor_us: int, speed: float, end_us: int) -> None:
        self._clock = clock
        self._anchor_us = anchor_us
        self._speed = speed
        self._end_us = end_us
        self._started_s = clock.monotonic_s()

    def now_us(self) -> int:
        """The simulated instant, which never goes back."""
        elapsed_s = self._clock.monotonic_s() - self._started_s
        return min(self._end_us, self._anchor_us + round(elapsed_s * self._speed * 1_000_000))


class LiveClock:
    """Simulated instants that are the machine's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now_us(self) -> int:
        """The machine's instant."""
        return self._clock.now_us()


MarketClock = SimulatedClock | LiveClock
