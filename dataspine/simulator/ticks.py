"""The market between its minutes: what a quote shows at any instant, four updates to each traded minute."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl

UPDATES_PER_MINUTE = 4
_STEP_US = 15_000_000
_JITTER_MS = 10_000


class Tick(NamedTuple):
    """One symbol's session so far, as of its last update."""

    at_us: int
    price_cents: int
    volume: int
    """Shares since the open."""
    open_cents: int
    high_cents: int
    low_cents: int


@dataclass(frozen=True, slots=True)
class TickLine:
    """Every update of one symbol in one session, in order of time."""

    symbol: str
    instants_us: list[int]
    rows: list[tuple[int, ...]]

    def at(self, instant_us: int) -> Tick | None:
        """The last update at or before an instant, or None before the first trade."""
        place = bisect_right(self.instants_us, instant_us) - 1
        return Tick(*self.rows[place]) if place >= 0 else None


def ticks(bars: pl.DataFrame) -> pl.DataFrame:
    """The updates of one session's bars, by symbol and time.

    Shapes: bars (n,) -> (4 n,): `symbol` and the fields of `Tick`. The prices of a minute are its open, its
        two extremes and its close, so that the day's high and low so far agree with the bars.
    """
    import polars as pl

    col = pl.col
    is_rise = col("close_cents") >= col("open_cents")
    first_extreme = pl.when(is_rise).then("low_cents").otherwise("high_cents")
    second_extreme = pl.when(is_rise).then("high_cents").otherwise("low_cents")
    before = col("volume").cum_sum().over("symbol") - col("volume")
    steps = (
        bars.with_columns(before=before, opened=col("open_cents").first().over("symbol"))
        .with_columns(step=pl.int_ranges(0, UPDATES_PER_MINUTE))
        .explode("step")
    )
    prices = pl.when(col("step") == 0).then("open_cents").when(col("step") == 1).then(first_extreme)
    return steps.select(
        "symbol",
        at_us=col("start_us") + col("step") * _STEP_US + _jitter_us(),
        price_cents=prices.when(col("step") == 2).then(second_extreme).otherwise("close_cents"),
        volume=col("before") + col("volume") * (col("step") + 1) // UPDATES_PER_MINUTE,
        open_cents=col("opened"),
    ).with_columns(
        high_cents=col("price_cents").cum_max().over("symbol"),
        low_cents=col("price_cents").cum_min().over("symbol"),
    )


def tick_lines(updates: pl.DataFrame) -> dict[str, TickLine]:
    """The updates of one session, by symbol."""
    lines = {}
    for (symbol,), part in updates.group_by("symbol", maintain_order=True):
        lines[str(symbol)] = TickLine(str(symbol), part["at_us"].to_list(), part.drop("symbol").rows())
    return lines


def _jitter_us() -> pl.Expr:
    """Up to ten seconds that only the bar decides; none at the first step, where the minute's first trade is."""
    import polars as pl

    mixed = pl.col("volume") * 31 + pl.col("close_cents") * 7 + pl.col("step") * 7_919
    return pl.when(pl.col("step") == 0).then(0).otherwise(mixed % _JITTER_MS * 1_000)
