"""The market's minutes: the same for the same seed, whatever else is asked for, and shaped like a market."""

from __future__ import annotations

import hashlib

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dataspine.calendars.lookup import US_PER_MINUTE
from dataspine.simulator.bars import bars
from dataspine.simulator.prices import previous_close_cents
from dataspine.simulator.tickers import tickers
from tests.unit.simulator.market_under_test import FEW, HALF_DAY, MONDAY, SEED, TUESDAY

TWENTY = tickers(20)


def digest(frame: pl.DataFrame) -> str:
    return hashlib.sha256(frame.write_csv().encode()).hexdigest()[:16]


def test_the_market_of_a_seed_is_known():
    """Every machine, Python and Polars makes these bars; a change here is another market for everybody."""
    assert digest(bars(SEED, TWENTY, [MONDAY])) == "e937e074803a51e9"


def test_another_seed_is_another_market():
    assert digest(bars(SEED, FEW, [MONDAY])) != digest(bars(SEED + 1, FEW, [MONDAY]))


def test_a_symbol_and_session_are_the_same_whatever_is_asked_for_beside_them():
    alone = bars(SEED, FEW[1:2], [TUESDAY])
    among = bars(SEED, TWENTY, [HALF_DAY, MONDAY, TUESDAY])
    wanted = (pl.col("symbol") == FEW[1].symbol) & (pl.col("day") == TUESDAY.day)
    assert_frame_equal(alone, among.filter(wanted))


@pytest.mark.parametrize(("session", "minutes"), [(MONDAY, 390), (HALF_DAY, 210)])
def test_a_session_has_a_bar_for_every_minute(session, minutes):
    frame = bars(SEED, FEW[:1], [session])
    starts = [session.open_us + minute * US_PER_MINUTE for minute in range(minutes)]
    assert frame["start_us"].to_list() == starts
    assert starts[-1] + US_PER_MINUTE == session.close_us


def test_a_bar_holds_its_prices():
    frame = bars(SEED, tickers(60), [MONDAY])
    low, high, vwap = pl.col("low_cents"), pl.col("high_cents"), pl.col("vwap_pips")
    inside = [pl.col(name).is_between(low, high) for name in ("open_cents", "close_cents")]
    assert frame.filter(~pl.all_horizontal(*inside, vwap.is_between(low * 100, high * 100))).is_empty()
    assert frame.select(pl.min_horizontal("low_cents", "volume", "trades").min()).item() >= 1


def test_each_bar_opens_where_the_last_one_closed():
    frame = bars(SEED, FEW[:1], [MONDAY])
    assert frame["open_cents"][1:].to_list() == frame["close_cents"][:-1].to_list()


def test_a_session_closes_where_the_next_one_counts_from():
    frame = bars(SEED, FEW, [MONDAY])
    for ticker in FEW:
        close = frame.filter(pl.col("symbol") == ticker.symbol)["close_cents"][-1]
        assert close == previous_close_cents(SEED, ticker, TUESDAY.day)


def test_volume_is_high_at_the_open_and_the_close():
    by_minute = bars(SEED, TWENTY, [MONDAY]).group_by("start_us").agg(pl.col("volume").sum()).sort("start_us")
    volume = by_minute["volume"]
    noon = volume[180:210].sum()
    assert volume[:30].sum() > 2.5 * noon
    assert volume[-30:].sum() > 2.5 * noon


def test_volume_of_a_day_is_near_the_usual():
    frame = bars(SEED, TWENTY, [MONDAY]).group_by("symbol").agg(pl.col("volume").sum())
    totals = dict(frame.iter_rows())
    assert all(0.6 < totals[ticker.symbol] / ticker.day_volume < 1.4 for ticker in TWENTY)


def test_thin_symbols_skip_minutes_but_not_the_auctions():
    invented = tickers(60)[20:]
    thin = [ticker for ticker in invented if ticker.day_volume < 100_000]
    assert len(thin) > 5
    frame = bars(SEED, thin, [MONDAY])
    for (symbol,), part in frame.group_by("symbol"):
        assert part.height < 300, symbol
        assert part["start_us"].min() == MONDAY.open_us
        assert part["start_us"].max() == MONDAY.close_us - US_PER_MINUTE


def test_prices_wander_but_do_not_jump():
    frame = bars(SEED, FEW[:1], [MONDAY])
    moves = (frame["close_cents"] - frame["open_cents"]).abs() / frame["open_cents"]
    assert 0.0001 < moves.mean() < 0.001
    assert moves.max() < 0.01


@pytest.mark.parametrize("count", [0, 501])
def test_number_of_symbols_is_bounded(count):
    with pytest.raises(ValueError, match="1 to 500"):
        tickers(count)


def test_five_hundred_symbols_have_different_names():
    assert len({ticker.symbol for ticker in tickers(500)}) == 500
