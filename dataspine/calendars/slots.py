"""Sessions and their slots as columns: what a stream of bars should hold, for joining against what it does hold."""

from __future__ import annotations

from datetime import date

import polars as pl

from dataspine.calendars.lookup import Calendar

_US_PER_S = 1_000_000


def sessions_frame(calendar: Calendar, first: date, last: date) -> pl.DataFrame:
    """Sessions from `first` to `last`, both included, in order.

    Shapes: one row a session; break columns are null where there is none.
    Raises: OutsideCalendar.
    """
    schema = {
        "day": pl.Date,
        "open_us": pl.Int64,
        "close_us": pl.Int64,
        "break_start_us": pl.Int64,
        "break_end_us": pl.Int64,
        "is_half_day": pl.Boolean,
    }
    return pl.DataFrame(calendar.sessions_between(first, last), schema=schema, orient="row")


def slots_frame(calendar: Calendar, first: date, last: date, *, interval_s: int) -> pl.DataFrame:
    """Starts of the bars of `interval_s` that sessions from `first` to `last` should have, in order.

    Bars begin at the open and again after the break; the last one before a break or the close may be shorter. An
    interval that is not shorter than the session has one bar, at the open.

    Shapes: day, slot (0, 1, 2 ... within the session), start_us.
    Raises: OutsideCalendar; ValueError if `interval_s` is not positive.
    """
    if interval_s <= 0:
        raise ValueError(f"an interval must be positive, got {interval_s}")
    interval_us = interval_s * _US_PER_S
    sessions = sessions_frame(calendar, first, last)
    before_break = sessions.select(
        "day", "open_us", "close_us", start="open_us", end=pl.coalesce("break_start_us", "close_us")
    )
    after_break = sessions.drop_nulls("break_end_us").select(
        "day", "open_us", "close_us", start="break_end_us", end="close_us"
    )
    is_whole = pl.col("close_us") - pl.col("open_us") <= interval_us
    windows = (
        pl.concat([before_break, after_break])
        .filter(~is_whole | (pl.col("start") == pl.col("open_us")))
        .sort("start")
    )
    return (
        windows.select("day", start_us=pl.int_ranges("start", "end", interval_us))
        .explode("start_us")
        .select("day", pl.int_range(pl.len()).over("day").alias("slot"), "start_us")
    )
