"""The desk's fills: at prices that the market had, with corrections and cancellations of earlier fills."""

from __future__ import annotations

from dataspine.calendars.lookup import US_PER_MINUTE
from dataspine.simulator.market import market
from dataspine.simulator.tickers import tickers
from tests.unit.simulator.market_under_test import HALF_DAY, MONDAY, SEED, TUESDAY

TICKERS = tickers(20)
MARKET = market(SEED, TICKERS, MONDAY)
BY_ID = {fill.trade_id: fill for fill in MARKET.executions}


def test_ids_are_unique_and_times_in_order():
    assert len(BY_ID) == len(MARKET.executions) == 600
    instants = [fill.at_us for fill in MARKET.executions]
    assert instants == sorted(instants)
    assert MONDAY.open_us <= instants[0]
    assert instants[-1] < MONDAY.close_us


def test_a_fill_has_a_price_of_its_minute():
    low_high = {
        (symbol, start): (low, high)
        for symbol, start, low, high in MARKET.bars.select(
            "symbol", "start_us", "low_cents", "high_cents"
        ).iter_rows()
    }
    for fill in MARKET.executions:
        if fill.exec_type == "NEW":
            low, high = low_high[fill.symbol, fill.at_us - fill.at_us % US_PER_MINUTE]
            assert low <= fill.price_cents <= high


def test_life_cycle_rows_refer_to_an_earlier_fill_of_their_client():
    changed = [fill for fill in MARKET.executions if fill.exec_type != "NEW"]
    assert {fill.exec_type for fill in changed} == {"CORRECT", "CANCEL"}
    for fill in changed:
        earlier = BY_ID[fill.ref_trade_id]
        assert (earlier.client_id, earlier.symbol, earlier.side) == (fill.client_id, fill.symbol, fill.side)
        assert earlier.at_us <= fill.at_us
        assert earlier.exec_type == "NEW"


def test_a_half_day_has_fewer_fills():
    assert len(market(SEED, TICKERS, HALF_DAY).executions) == 600 * 210 // 390


def test_another_session_has_other_fills():
    assert market(SEED, TICKERS, TUESDAY).executions[0].trade_id == "E20260106-00001"
    assert market(SEED, TICKERS, TUESDAY).executions[0].price_cents != MARKET.executions[0].price_cents
