"""The market's minutes: bars with U-shaped volumes and wandering prices, made of a seed as columns.

Whole numbers only, so that every machine computes the same market.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataspine.calendars.lookup import US_PER_MINUTE, Session
from dataspine.simulator.draws import SCALE, draw, draws
from dataspine.simulator.prices import MILLI, closing_milli, opening_milli
from dataspine.simulator.tickers import Ticker

if TYPE_CHECKING:
    import polars as pl

FULL_DAY_MINUTES = 390
EVERY_MINUTE_VOLUME = 200_000
"""Shares a day from which on a symbol trades in every minute."""
_DRAWN = ("step_1", "step_2", "step_3", "up", "down", "shares", "size", "trade")
_BELL_MEAN = 3 * (SCALE - 1) // 2
_BELL_DEVIATION = SCALE // 2
"""Of the sum of three draws: the root of 3 / 12 of the scale."""
_STEP_UNIT = 100_000


def bars(seed: int, tickers: Sequence[Ticker], sessions: Sequence[Session]) -> pl.DataFrame:
    """Minute bars of these symbols in these sessions, by session, symbol as given, and time.

    Shapes: `day`, `symbol`, `start_us`, `open_cents`, `high_cents`, `low_cents`, `close_cents`, `vwap_pips`,
        `volume`, `trades`; a minute without a trade has no row.
    Units:  prices in cents, `vwap_pips` in ten-thousandths of a dollar, `start_us` the bar's first instant.
    """
    import polars as pl

    col = pl.col
    frame = _drawn(seed, tickers, sessions).with_columns(_distance_bps().alias("distance_bps"))
    frame = frame.with_columns(
        _step_milli().alias("step_milli"), (350 + col("distance_bps") // 10).alias("weight")
    )
    frame = frame.with_columns(_close_cents().alias("close_cents"), _volume().alias("volume"))
    frame = frame.with_columns(_open_cents().alias("open_cents"))
    frame = frame.with_columns(
        start_us=col("opens_us") + col("minute") * US_PER_MINUTE,
        high_cents=pl.max_horizontal("open_cents", "close_cents") + _wick_cents("up"),
        low_cents=(pl.min_horizontal("open_cents", "close_cents") - _wick_cents("down")).clip(1),
        trades=col("volume") // (80 + col("size") * 40 // SCALE) + 1,
    )
    prices = ("open_cents", "high_cents", "low_cents", "close_cents")
    return frame.filter(_is_traded()).select(
        "day",
        "symbol",
        "start_us",
        *prices,
        (20 * (col("open_cents") + col("high_cents") + col("low_cents") + 2 * col("close_cents"))).alias(
            "vwap_pips"
        ),
        "volume",
        "trades",
    )


def _drawn(seed: int, tickers: Sequence[Ticker], sessions: Sequence[Session]) -> pl.DataFrame:
    """One row a minute, traded or not, with what its day is about and its own draws."""
    import polars as pl

    rows, columns = [], {name: array("H") for name in _DRAWN}
    for session in sessions:
        minutes = (session.close_us - session.open_us) // US_PER_MINUTE
        for ticker in tickers:
            rows.append(_day(seed, ticker, session, minutes=minutes))
            numbers = draws(f"{seed}/bars/{ticker.symbol}/{session.day}", minutes * len(_DRAWN))
            for place, column in enumerate(columns.values()):
                column.extend(numbers[place * minutes : (place + 1) * minutes])
    schema = {"day": pl.Date, "symbol": pl.String, **dict.fromkeys(_DAY_NUMBERS, pl.Int64)}
    days = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("group")
    minutes_of = days.with_columns(minute=pl.int_ranges(0, pl.col("minutes"))).explode("minute")
    return minutes_of.with_columns(
        pl.Series(name, column, dtype=pl.Int64) for name, column in columns.items()
    )


_DAY_NUMBERS = ("opens_us", "minutes", "first_milli", "last_milli", "day_volume", "activity")


def _day(seed: int, ticker: Ticker, session: Session, *, minutes: int) -> tuple[object, ...]:
    """Day, symbol and `_DAY_NUMBERS`."""
    # Some days are busy, others quiet: 0.7 to 1.3 of the usual volume.
    mood = 7 * SCALE // 10 + draw(f"{seed}/mood/{ticker.symbol}/{session.day}") * 6 // 10
    return (
        session.day,
        ticker.symbol,
        session.open_us,
        minutes,
        opening_milli(seed, ticker, session.day),
        closing_milli(seed, ticker, session.day),
        ticker.day_volume * mood // SCALE * minutes // FULL_DAY_MINUTES,
        min(SCALE, ticker.day_volume * SCALE // EVERY_MINUTE_VOLUME),
    )


def _distance_bps() -> pl.Expr:
    """How far from noon a minute is, squared: 10,000 at the open and the close."""
    import polars as pl

    last = pl.col("minutes") - 1
    distance = 2 * pl.col("minute") - last
    return 10_000 * distance * distance // (last * last)


def _step_milli() -> pl.Expr:
    """How far the price goes in a minute: the open is about three times as restless as noon."""
    import polars as pl

    bell = pl.col("step_1") + pl.col("step_2") + pl.col("step_3") - _BELL_MEAN
    restless = 30 + 60 * pl.col("distance_bps") // 10_000
    return pl.col("first_milli") * restless * bell // (_STEP_UNIT * _BELL_DEVIATION)


def _close_cents() -> pl.Expr:
    """The walk, bent so that it ends where the day has to."""
    import polars as pl

    col = pl.col
    walked = col("step_milli").cum_sum().over("group")
    missing = col("last_milli") - col("first_milli") - col("step_milli").sum().over("group")
    close = col("first_milli") + walked + missing * (col("minute") + 1) // col("minutes")
    return ((close + MILLI // 2) // MILLI).clip(1)


def _open_cents() -> pl.Expr:
    import polars as pl

    first = ((pl.col("first_milli") + MILLI // 2) // MILLI).clip(1)
    return pl.col("close_cents").shift(1).over("group").fill_null(first)


def _volume() -> pl.Expr:
    """The minute's share of the day, times 0.4 to 1.6; what thin symbols trade comes in fewer minutes."""
    import polars as pl

    col = pl.col
    noise = 4 * SCALE // 10 + col("shares") * 12 // 10
    share = col("day_volume") * col("weight") * noise // (col("weight").sum().over("group") * SCALE)
    return share * SCALE // col("activity") + 1


def _wick_cents(drawn: str) -> pl.Expr:
    """How far a minute reaches beyond its open and close: up to a two-thousandth of the price."""
    import polars as pl

    return pl.col(drawn) * (pl.col("open_cents") // 2_000 + 1) // SCALE


def _is_traded() -> pl.Expr:
    """The auctions at the open and the close always trade."""
    import polars as pl

    is_auction = (pl.col("minute") == 0) | (pl.col("minute") == pl.col("minutes") - 1)
    return is_auction | (pl.col("trade") < pl.col("activity"))
