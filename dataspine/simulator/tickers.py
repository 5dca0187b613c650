"""What is traded: twenty listed companies and funds under invented prices, and beyond them invented ones."""

from __future__ import annotations

from dataclasses import dataclass

from dataspine.simulator.draws import SCALE, draw

MAX_TICKERS = 500


@dataclass(frozen=True, slots=True)
class Ticker:
    """One instrument of the simulated market."""

    symbol: str
    company: str
    exchange: str
    price_cents: int
    """Price that its market hovers around."""
    day_volume: int
    """Shares of a usual full day."""


_NASDAQ = "NASDAQ/NGS (GLOBAL SELECT MARKET)"
_NYSE = "NEW YORK STOCK EXCHANGE INC."
_ARCA = "NYSE ARCA"
_NAMED = (
    Ticker("AAPL", "Apple Inc", _NASDAQ, 26712, 45_000_000),
    Ticker("MSFT", "Microsoft Corporation", _NASDAQ, 47285, 21_000_000),
    Ticker("NVDA", "NVIDIA Corp", _NASDAQ, 18812, 160_000_000),
    Ticker("AMZN", "Amazon.com Inc.", _NASDAQ, 23306, 40_000_000),
    Ticker("SPY", "SPDR S&P 500 ETF Trust", _ARCA, 68702, 70_000_000),
    Ticker("TSLA", "Tesla Inc", _NASDAQ, 45167, 70_000_000),
    Ticker("META", "Meta Platforms Inc - Class A", _NASDAQ, 65879, 12_000_000),
    Ticker("JPM", "JPMorgan Chase & Co.", _NYSE, 33404, 9_000_000),
    Ticker("F", "Ford Motor Co.", _NYSE, 1331, 55_000_000),
    Ticker("COST", "Costco Wholesale Corp", _NASDAQ, 86115, 2_400_000),
    Ticker("XOM", "Exxon Mobil Corp.", _NYSE, 12536, 16_000_000),
    Ticker("KO", "Coca-Cola Co", _NYSE, 6921, 15_000_000),
    Ticker("INTC", "Intel Corp.", _NASDAQ, 3938, 80_000_000),
    Ticker("QQQ", "Invesco QQQ Trust, Series 1", _NASDAQ, 61928, 50_000_000),
    Ticker("T", "AT&T Inc.", _NYSE, 2451, 35_000_000),
    Ticker("HD", "Home Depot, Inc.", _NYSE, 34520, 4_000_000),
    Ticker("DIS", "Walt Disney Co (The)", _NYSE, 11418, 8_000_000),
    Ticker("GM", "General Motors Company", _NYSE, 8107, 9_000_000),
    Ticker("NKE", "Nike, Inc. - Class B", _NYSE, 6403, 12_000_000),
    Ticker("BA", "Boeing Co.", _NYSE, 22815, 8_000_000),
)


def tickers(count: int) -> tuple[Ticker, ...]:
    """The first `count` instruments.

    The first twenty trade every minute; of the others many are thin and trade in some minutes only.
    Raises: ValueError unless `count` lies from 1 to 500.
    """
    if not 1 <= count <= MAX_TICKERS:
        raise ValueError(f"the simulator has 1 to {MAX_TICKERS} symbols, got {count}")
    named = _NAMED[:count]
    return named + tuple(_invented(number) for number in range(len(_NAMED) + 1, count + 1))


def _invented(number: int) -> Ticker:
    """An instrument nobody has heard of, with 10,000 to 2.5 million shares a day."""
    symbol = f"SIM{number:03d}"
    doublings, rest = divmod(draw(f"volume/{symbol}") * 8, SCALE)
    day_volume = (10_000 << doublings) * (SCALE + rest) // SCALE
    price_cents = 500 + draw(f"price/{symbol}") * 19_500 // SCALE
    return Ticker(symbol, f"Simulated Company {number}", _NYSE, price_cents, day_volume)
