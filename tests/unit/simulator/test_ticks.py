"""Quotes between the minutes: in order of time, and in agreement with the bars."""

from __future__ import annotations

from itertools import pairwise

import polars as pl

from dataspine.simulator.bars import bars
from dataspine.simulator.tickers import tickers
from dataspine.simulator.ticks import tick_lines, ticks
from tests.unit.simulator.market_under_test import MONDAY, SEED

BARS = bars(SEED, tickers(25), [MONDAY])
LINES = tick_lines(ticks(BARS))


def test_a_line_begins_at_the_open_and_moves_forward():
    for line in LINES.values():
        assert line.instants_us[0] == MONDAY.open_us
        assert all(earlier < later for earlier, later in pairwise(line.instants_us))
        assert line.instants_us[-1] < MONDAY.close_us


def test_there_is_no_quote_before_the_first_trade():
    assert LINES["AAPL"].at(MONDAY.open_us - 1) is None
    assert LINES["AAPL"].at(MONDAY.open_us).at_us == MONDAY.open_us


def test_an_update_counts_from_its_own_instant():
    line = LINES["AAPL"]
    third = line.instants_us[2]
    assert line.at(third - 1).at_us == line.instants_us[1]
    assert line.at(third).at_us == third


def test_the_last_quote_of_the_day_agrees_with_the_bars():
    """Close, volume so far, and the day's open, high and low."""
    for (symbol,), part in BARS.group_by("symbol"):
        last = LINES[symbol].at(MONDAY.close_us)
        assert last.price_cents == part.sort("start_us")["close_cents"][-1]
        assert last.volume == part["volume"].sum()
        assert last.open_cents == part.sort("start_us")["open_cents"][0]
        assert (last.high_cents, last.low_cents) == (part["high_cents"].max(), part["low_cents"].min())


def test_volume_never_falls_and_the_price_stays_between_low_and_high():
    frame = ticks(BARS)
    is_falling = pl.col("volume").diff().over("symbol") < 0
    is_outside = ~pl.col("price_cents").is_between("low_cents", "high_cents")
    assert frame.filter(is_falling | is_outside).is_empty()
