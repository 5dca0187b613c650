"""Where a symbol's price stands between sessions: a wandering line that any day can be asked for by itself."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from dataspine.simulator.draws import SCALE, draw
from dataspine.simulator.tickers import Ticker

WAVES_BPS = (60, 85, 120, 170, 240, 340, 480)
"""Swing of each wave, the shortest of one day and each next one twice as long.

Swings that grow by the root of two make the sum wander like a random walk, without its history.
"""
MILLI = 1_000
"""Thousandths of a cent to a cent: a minute's step of a cheap share is smaller than a cent."""
_BPS = 10_000
_WORK_DAYS = 5


def opening_milli(seed: int, ticker: Ticker, day: date) -> int:
    """Price before a session's first trade, in thousandths of a cent: the last close and a gap of up to 0.4 %."""
    gap = draw(f"{seed}/gap/{ticker.symbol}/{day}") - SCALE // 2
    level = _level_milli(seed, ticker, _work_day(day))
    return level + level * gap * 8 // (1_000 * SCALE)


def closing_milli(seed: int, ticker: Ticker, day: date) -> int:
    """Price of a session's last trade, in thousandths of a cent."""
    return _level_milli(seed, ticker, _work_day(day) + 1)


def previous_close_cents(seed: int, ticker: Ticker, day: date) -> int:
    """Close of the work day before a session; over a holiday it stands where the holiday would have begun."""
    return cents_from_milli(_level_milli(seed, ticker, _work_day(day)))


def cents_from_milli(price_milli: int) -> int:
    """The price in whole cents, one at least."""
    return max(1, (price_milli + MILLI // 2) // MILLI)


def _work_day(day: date) -> int:
    """Mondays to Fridays since year 1; a weekend counts as its Monday."""
    weeks, weekday = divmod(day.toordinal() - 1, 7)
    return weeks * _WORK_DAYS + min(weekday, _WORK_DAYS)


def _level_milli(seed: int, ticker: Ticker, work_day: int) -> int:
    swing = sum(
        bps * _wave(f"{seed}/level/{ticker.symbol}/{wave}", work_day, 1 << wave)
        for wave, bps in enumerate(WAVES_BPS)
    )
    base = ticker.price_cents * MILLI
    return base + base * swing // (_BPS * SCALE)


def _wave(key: str, work_day: int, length: int) -> int:
    """A line through a random height at every `length` days, from -1 to 1 in units of 1 / 65,536."""
    knot, past = divmod(work_day, length)
    before, after = _knot(f"{key}/{knot}"), _knot(f"{key}/{knot + 1}")
    return 2 * (before * (length - past) + after * past) // length - SCALE


@lru_cache(maxsize=65_536)
def _knot(key: str) -> int:
    return draw(key)
