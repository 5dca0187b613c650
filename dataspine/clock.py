"""Time's one door: UTC now, monotonic seconds, sleeping, and a clock that tests and `--now` can hold still.

The pure heart never imports this module; instants come in as arguments, as integer microseconds UTC.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What a clock answers."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def sleep_s(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep_s(self, seconds: float) -> None:
        time.sleep(seconds)


class FrozenClock:
    """A clock that moves only when told; `sleep_s` moves it."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        return self._now_us

    def monotonic_s(self) -> float:
        return self._now_us / 1e6

    def sleep_s(self, seconds: float) -> None:
        self.advance_s(seconds)

    def advance_s(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now_us += round(seconds * 1_000_000)


class HeldClock(SystemClock):
    """The machine's clock with the date held still, for rehearsals; waiting takes real time."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        return self._now_us


class FlowingClock(SystemClock):
    """A clock that began at an instant of somebody's choice and goes on from there."""

    def __init__(self, start_us: int) -> None:
        self._offset_us = start_us - round(self.monotonic_s() * 1_000_000)

    def now_us(self) -> int:
        return self._offset_us + round(self.monotonic_s() * 1_000_000)


def machine_clock(clock: Clock) -> Clock:
    """The machine's own clock where `clock` rehearses another date: what processes agree on goes by this one."""
    return SystemClock() if isinstance(clock, HeldClock | FlowingClock) else clock


def us_from_datetime(instant: datetime) -> int:
    """Microseconds UTC of an aware datetime.

    Raises: ValueError if `instant` is naive.
    """
    if instant.tzinfo is None:
        raise ValueError("a naive datetime has no place in time; give it a zone")
    return (instant - EPOCH) // timedelta(microseconds=1)


def datetime_from_us(instant_us: int) -> datetime:
    """Aware UTC datetime of `instant_us`."""
    return EPOCH + timedelta(microseconds=instant_us)


def iso_from_us(instant_us: int) -> str:
    """ISO 8601 UTC text: seconds, and microseconds only where they are not zero."""
    return datetime_from_us(instant_us).isoformat().replace("+00:00", "Z")
