"""Bars as the aggregates API writes them: rendered once as columns, kept as bytes, cut where a page ends."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING

from dataspine.calendars.lookup import Session
from dataspine.simulator.bars import bars
from dataspine.simulator.tickers import Ticker

if TYPE_CHECKING:
    import polars as pl

CACHE_BYTES = 256 * 1024**2
"""Rendered bars that are kept: about 280 sessions of 20 symbols."""
_BYTES_PER_BAR = 12
"""Of a bar's time and its place in the text."""


@dataclass(frozen=True, slots=True)
class BarText:
    """The bars of one symbol in one session as JSON objects, joined by commas."""

    text: bytes
    starts_us: array[int]
    """First instant of each bar, in order."""
    ends: array[int]
    """Offset in `text` of each bar's end."""

    def between(self, start_us: int, end_us: int) -> tuple[int, int]:
        """Places of the bars that begin at or after `start_us` and before `end_us`, as a half-open range."""
        first = bisect_left(self.starts_us, start_us)
        return first, max(first, bisect_right(self.starts_us, end_us - 1))

    def piece(self, first: int, end: int) -> bytes:
        """The bars of a range of places, joined by commas."""
        if first == end:
            return b""
        return self.text[self.ends[first - 1] + 1 if first else 0 : self.ends[end - 1]]

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, nearly."""
        return len(self.text) + _BYTES_PER_BAR * len(self.ends)


def bar_texts(frame: pl.DataFrame) -> dict[tuple[str, date], BarText]:
    """The text of every symbol and session of a frame of bars."""
    import polars as pl

    text = _object_text()
    rendered = frame.select("day", "symbol", "start_us", text=text).with_columns(
        size=pl.col("text").str.len_bytes()
    )
    days = rendered.group_by("day", "symbol", maintain_order=True).agg("text", "start_us", "size")
    joined = days.with_columns(pl.col("text").list.join(","))
    return {
        (symbol, day): BarText(text.encode(), array("q", starts_us), array("I", _ends(sizes)))
        for day, symbol, text, starts_us, sizes in joined.iter_rows()
    }


class BarTextCache:
    """The texts of a market, made when they are asked for and kept within a limit."""

    def __init__(self, seed: int, tickers: Sequence[Ticker], *, max_bytes: int = CACHE_BYTES) -> None:
        self._seed = seed
        self._tickers = {ticker.symbol: ticker for ticker in tickers}
        self._max_bytes = max_bytes
        self._texts: OrderedDict[tuple[str, date], BarText] = OrderedDict()
        self._size_bytes = 0
        self._lock = threading.Lock()

    def texts(self, symbol: str, sessions: Sequence[Session]) -> list[BarText]:
        """The texts of a symbol in these sessions; none for a symbol that is not traded here."""
        if symbol not in self._tickers:
            return []
        with self._lock:
            missing = [session for session in sessions if (symbol, session.day) not in self._texts]
            made = self._made(symbol, missing, is_lone=len(sessions) == 1)
            found = [made.get(key) or self._texts[key] for key in ((symbol, each.day) for each in sessions)]
            self._keep((symbol, session.day) for session in sessions)
        return found

    def _made(
        self, symbol: str, sessions: Sequence[Session], *, is_lone: bool
    ) -> dict[tuple[str, date], BarText]:
        """Whoever asks for one session of a symbol will ask for the other symbols of that session."""
        if not sessions:
            return {}
        tickers = list(self._tickers.values()) if is_lone else [self._tickers[symbol]]
        made = bar_texts(bars(self._seed, tickers, sessions))
        for key, text in made.items():
            self._size_bytes += text.size_bytes - (self._texts[key].size_bytes if key in self._texts else 0)
            self._texts[key] = text
        return made

    def _keep(self, used: Iterable[tuple[str, date]]) -> None:
        """Drop what was not used for longest once there is too much."""
        for key in used:
            self._texts.move_to_end(key)
        while self._size_bytes > self._max_bytes and len(self._texts) > 1:
            _, oldest = self._texts.popitem(last=False)
            self._size_bytes -= oldest.size_bytes


def _object_text() -> pl.Expr:
    import polars as pl

    col = pl.col
    return pl.concat_str(
        pl.lit('{"v":'),
        col("volume"),
        pl.lit(',"vw":'),
        _decimal_text("vwap_pips", places=4),
        pl.lit(',"o":'),
        _decimal_text("open_cents", places=2),
        pl.lit(',"c":'),
        _decimal_text("close_cents", places=2),
        pl.lit(',"h":'),
        _decimal_text("high_cents", places=2),
        pl.lit(',"l":'),
        _decimal_text("low_cents", places=2),
        pl.lit(',"t":'),
        col("start_us") // 1_000,
        pl.lit(',"n":'),
        col("trades"),
        pl.lit("}"),
    )


def _decimal_text(name: str, *, places: int) -> pl.Expr:
    """A whole number of hundredths or ten-thousandths as exact text."""
    import polars as pl

    # Polars divides a column of floats by multiplying with the reciprocal, which is not exact.
    return (pl.col(name).cast(pl.Decimal(20, places)) * pl.lit(Decimal(1).scaleb(-places))).cast(pl.String)


def _ends(sizes: Iterable[int]) -> list[int]:
    """Where each bar's text ends, with one comma between any two."""
    return [total + place for place, total in enumerate(accumulate(sizes))]
