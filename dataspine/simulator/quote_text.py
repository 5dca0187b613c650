"""A quote as the quote API writes it: the vendor's keys, of which the preset `iex_quote` reads some."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dataspine.calendars.lookup import Session
from dataspine.clock import datetime_from_us
from dataspine.simulator.tickers import Ticker
from dataspine.simulator.ticks import Tick

_DELAY_US = 900_000_000
"""What the vendor calls delayed is fifteen minutes old."""


def quote_document(
    ticker: Ticker, tick: Tick, session: Session, *, previous_close_cents: int, seen_us: int
) -> Any:
    """The quote of one symbol as of an instant; what it says of the day never changes after the close."""
    is_open = seen_us < session.close_us
    return {
        **_identity(ticker, tick, is_open=is_open),
        **_day(tick, session),
        **_book(tick, is_open=is_open),
        **_statistics(ticker, tick, previous_close_cents),
        "currency": "USD",
        "isUSMarketOpen": is_open,
    }


def _identity(ticker: Ticker, tick: Tick, *, is_open: bool) -> dict[str, Any]:
    return {
        "symbol": ticker.symbol,
        "companyName": ticker.company,
        "primaryExchange": ticker.exchange,
        "calculationPrice": "tops" if is_open else "close",
        "latestPrice": tick.price_cents / 100,
        "latestSource": "IEX real time price" if is_open else "Close",
        "latestTime": _new_york(tick.at_us).strftime("%I:%M:%S %p").lstrip("0"),
        "latestUpdate": tick.at_us // 1_000,
        "latestVolume": tick.volume,
        "volume": tick.volume,
    }


def _day(tick: Tick, session: Session) -> dict[str, Any]:
    return {
        "open": tick.open_cents / 100,
        "openTime": session.open_us // 1_000,
        "openSource": "official",
        "high": tick.high_cents / 100,
        "low": tick.low_cents / 100,
        "close": None,
        "closeTime": None,
    }


def _book(tick: Tick, *, is_open: bool) -> dict[str, Any]:
    """The exchange's own book; its sentinels for "none" after the close."""
    return {
        "iexRealtimePrice": tick.price_cents / 100 if is_open else 0,
        "iexRealtimeSize": 100 if is_open else 0,
        "iexLastUpdated": tick.at_us // 1_000 if is_open else -1,
        "iexBidPrice": (tick.price_cents - 1) / 100 if is_open else 0,
        "iexBidSize": 100 if is_open else 0,
        "iexAskPrice": (tick.price_cents + 1) / 100 if is_open else 0,
        "iexAskSize": 200 if is_open else 0,
        "delayedPrice": tick.price_cents / 100,
        "delayedPriceTime": (tick.at_us - _DELAY_US) // 1_000,
    }


def _statistics(ticker: Ticker, tick: Tick, previous_close_cents: int) -> dict[str, Any]:
    change_cents = tick.price_cents - previous_close_cents
    return {
        "previousClose": previous_close_cents / 100,
        "change": change_cents / 100,
        "changePercent": change_cents * 100_000 // previous_close_cents / 100_000,
        "avgTotalVolume": ticker.day_volume,
        "marketCap": tick.price_cents * 41_000_000,
        "peRatio": tick.price_cents // 9 / 100,
        "week52High": ticker.price_cents * 12 // 10 / 100,
        "week52Low": ticker.price_cents * 7 // 10 / 100,
        "lastTradeTime": tick.at_us // 1_000,
    }


def _new_york(instant_us: int) -> datetime:
    return datetime_from_us(instant_us).astimezone(ZoneInfo("America/New_York"))
