"""The desk's fills of one session, with corrections and cancellations among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dataspine.calendars.lookup import US_PER_MINUTE, Session
from dataspine.simulator.draws import SCALE, draws
from dataspine.simulator.tickers import Ticker

if TYPE_CHECKING:
    import polars as pl

FILLS_PER_DAY = 600
"""Of a full day; a half day has fewer."""
CLIENTS = 8
VENUES = ("XNAS", "XNYS", "ARCX", "BATS", "IEXG", "DARK-1")
CORRECTED_EVERY = 60
CANCELLED_EVERY = 97
_FULL_DAY_US = 390 * US_PER_MINUTE
_DRAWS = 8


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill, or the correction or cancellation of an earlier one."""

    trade_id: str
    client_id: str
    symbol: str
    side: str
    quantity: int
    price_cents: int
    at_us: int
    venue: str
    exec_type: str = "NEW"
    ref_trade_id: str = ""


def executions(
    seed: int, tickers: Sequence[Ticker], session: Session, *, bars: pl.DataFrame
) -> tuple[Execution, ...]:
    """The fills of a session by time, each at a price that its symbol's bar of that minute holds.

    `bars` are those of the same symbols and session.
    """
    prices = {
        (symbol, start_us): (low, high)
        for symbol, start_us, low, high in bars.select(
            "symbol", "start_us", "low_cents", "high_cents"
        ).iter_rows()
    }
    wanted = FILLS_PER_DAY * (session.close_us - session.open_us) // _FULL_DAY_US
    numbers = draws(f"{seed}/executions/{session.day}", wanted * _DRAWS)
    drawn = [numbers[place : place + _DRAWS] for place in range(0, len(numbers), _DRAWS)]
    fills = sorted(
        (fill for row in drawn for fill in _fill(row, tickers, session, prices=prices)),
        key=lambda fill: (fill.at_us, fill.symbol, fill.client_id, fill.price_cents),
    )
    named = [
        replace(fill, trade_id=f"E{session.day:%Y%m%d}-{ordinal:05d}")
        for ordinal, fill in enumerate(fills, start=1)
    ]
    return tuple(_with_life_cycle(named))


def _fill(
    row: Sequence[int],
    tickers: Sequence[Ticker],
    session: Session,
    *,
    prices: dict[tuple[str, int], tuple[int, int]],
) -> Iterator[Execution]:
    """The fill of eight draws; none where its symbol does not trade in that minute."""
    which, minute, millis, price, quantity, client, side, venue = row
    symbol = tickers[which * len(tickers) // SCALE].symbol
    minutes = (session.close_us - session.open_us) // US_PER_MINUTE
    start_us = session.open_us + minute * minutes // SCALE * US_PER_MINUTE
    low_high = prices.get((symbol, start_us))
    if low_high is None:
        return
    low, high = low_high
    yield Execution(
        trade_id="",
        client_id=f"C{1 + client * CLIENTS // SCALE:03d}",
        symbol=symbol,
        side=("BUY", "SELL")[side & 1],
        quantity=10 * (1 + quantity * 99 // SCALE),
        price_cents=low + price * (high - low + 1) // SCALE,
        at_us=start_us + millis * 60_000 // SCALE * 1_000,
        venue=VENUES[venue * len(VENUES) // SCALE],
    )


def _with_life_cycle(fills: Sequence[Execution]) -> Iterator[Execution]:
    """The same fills, some turned into what happened to the last one of their client."""
    last: dict[str, Execution] = {}
    for ordinal, fill in enumerate(fills, start=1):
        kind = (
            "CORRECT"
            if ordinal % CORRECTED_EVERY == 0
            else "CANCEL"
            if ordinal % CANCELLED_EVERY == 0
            else "NEW"
        )
        earlier = last.get(fill.client_id)
        if kind == "NEW" or earlier is None:
            last[fill.client_id] = fill
            yield fill
            continue
        price_cents = earlier.price_cents + (kind == "CORRECT")
        yield replace(
            earlier,
            trade_id=fill.trade_id,
            at_us=fill.at_us,
            price_cents=price_cents,
            exec_type=kind,
            ref_trade_id=earlier.trade_id,
        )
