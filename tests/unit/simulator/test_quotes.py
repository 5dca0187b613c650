"""The quote API: the whole market or some symbols, as of an instant, and faults in its quotes."""

from __future__ import annotations

import pytest

from dataspine.simulator.bars import bars
from tests.unit.simulator.market_under_test import FEW, MONDAY, SEED, VendorsAt, at


def quote(vendors: VendorsAt, symbol: str = "AAPL", *, now: str) -> dict:
    return vendors.quotes(now=now, symbols=symbol)[symbol]["quote"]


def test_a_batch_has_every_symbol_or_those_that_are_asked_for():
    vendors = VendorsAt()
    assert list(vendors.quotes(now="10:00")) == ["AAPL", "MSFT", "NVDA"]
    assert list(vendors.quotes(now="10:00", symbols="nvda,AAPL,ZZZ", types="quote")) == ["AAPL", "NVDA"]
    assert vendors.quotes(now="10:00", symbols="") == {}


def test_a_quote_never_comes_from_the_future():
    vendors = VendorsAt()
    for now in ("09:30", "10:00:07", "12:00", "15:59:59"):
        updated_ms = quote(vendors, now=now)["latestUpdate"]
        assert at(now) - 60_000_000 < updated_ms * 1_000 <= at(now)


def test_a_quote_agrees_with_the_days_bars():
    frame = bars(SEED, FEW[:1], [MONDAY])
    evening = quote(VendorsAt(), now="18:00")
    assert evening["latestPrice"] * 100 == pytest.approx(frame["close_cents"][-1])
    assert evening["volume"] == evening["latestVolume"] == frame["volume"].sum()
    assert evening["high"] * 100 == pytest.approx(frame["high_cents"].max())
    assert evening["low"] * 100 == pytest.approx(frame["low_cents"].min())


def test_before_the_open_stands_the_last_sessions_quote():
    early = quote(VendorsAt(), now="09:29:59")
    assert early["isUSMarketOpen"] is False
    # Friday's: 2026-01-02T21:00Z, in milliseconds.
    assert 1_767_387_540_000 < early["latestUpdate"] < 1_767_387_600_000


def test_the_close_changes_nothing_that_is_stored():
    """A value that changed after the close under the same update would be taken for a correction."""
    vendors = VendorsAt()
    mapped = ("latestPrice", "latestUpdate", "volume", "open", "high", "low")
    before, after = (quote(vendors, now=now) for now in ("15:59:59.9", "20:00"))
    assert (before["isUSMarketOpen"], after["isUSMarketOpen"]) == (True, False)
    assert [before[key] for key in mapped] == [after[key] for key in mapped]


def test_other_types_are_refused():
    answer = VendorsAt().answer("/stable/stock/market/batch", query={"types": "news"})
    assert (answer.status, answer.body) == (400, b"types must include quote")


def test_a_stale_feed_stands_still():
    vendors = VendorsAt("quotes.stale_feed@10:00+10m")
    frozen = quote(vendors, now="10:00")
    assert quote(vendors, now="10:09:59") == frozen
    assert quote(vendors, now="10:10")["latestUpdate"] > frozen["latestUpdate"]


def test_a_schema_change_renames_the_price():
    vendors = VendorsAt("quotes.schema_change@10:00+10m")
    changed = quote(vendors, now="10:01")
    assert "latestPrice" not in changed
    assert changed["lastPrice"] > 0
    assert "lastPrice" not in quote(vendors, now="10:10")


def test_bad_quotes_are_broken_in_turn():
    batch = VendorsAt("quotes.bad_records@10:00+10m:1").quotes(now="10:05")
    first, second, third = (batch[ticker.symbol]["quote"]["latestPrice"] for ticker in FEW)
    assert first < 0
    assert second == "N/A"
    assert third is None


def test_one_in_so_many_quotes_is_broken():
    batch = VendorsAt("quotes.bad_records@10:00+10m:2").quotes(now="10:05")
    good = VendorsAt().quotes(now="10:05")
    assert [symbol for symbol in batch if batch[symbol] != good[symbol]] == ["AAPL", "NVDA"]


def test_a_flawed_quote_is_one_that_was_updated_within_the_fault():
    """At 10:10:00.5 the last update of every symbol is the minute's first, at the fault's end."""
    vendors = VendorsAt("quotes.bad_records@10:00+10m:1")
    assert vendors.quotes(now="10:10:00.5") == VendorsAt().quotes(now="10:10:00.5")
    assert vendors.quotes(now="10:09:59.9") != VendorsAt().quotes(now="10:09:59.9")
