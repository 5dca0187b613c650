"""The simulated market of one session, whole: its bars, the updates of its quotes, and the desk's fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataspine.calendars.lookup import Session
from dataspine.simulator.bars import bars
from dataspine.simulator.executions import Execution, executions
from dataspine.simulator.tickers import Ticker
from dataspine.simulator.ticks import ticks

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Market:
    """What happened in one session."""

    bars: pl.DataFrame
    """See `simulator.bars`."""
    ticks: pl.DataFrame
    """See `simulator.ticks`."""
    executions: tuple[Execution, ...]


def market(seed: int, tickers: Sequence[Ticker], session: Session) -> Market:
    """The market that a seed, the symbols and the session's hours decide, and nothing else."""
    minutes = bars(seed, tickers, [session])
    return Market(minutes, ticks(minutes), executions(seed, tickers, session, bars=minutes))
