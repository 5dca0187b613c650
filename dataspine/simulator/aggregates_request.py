"""What is asked of the aggregates API: a ticker, a range of time and a page size, read from path and query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dataspine.clock import us_from_datetime
from dataspine.simulator.answers import VendorRequest

MAX_LIMIT = 50_000
DEFAULT_LIMIT = 5_000
_PATH = re.compile(
    r"/v2/aggs/ticker/(?P<ticker>[^/]{1,40})/range/(?P<count>[0-9]{1,4})/(?P<span>[a-z]+)/(?P<start>[^/]+)/(?P<end>[^/]+)"
)
_DAY = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}")
"""Years in which one day more or less is still a date."""
_EPOCH_MS = re.compile(r"[0-9]{1,14}")


@dataclass(frozen=True, slots=True)
class AggregatesRequest:
    """Minute bars of one ticker that begin in a range of time."""

    ticker: str
    start_us: int
    end_us: int
    """First instant after the range."""
    limit: int
    """Bars of one page at most."""
    end_text: str
    """The range's end as it was written, for the link to the next page."""


def aggregates_request(request: VendorRequest, zone: str) -> AggregatesRequest:
    """The request as the vendor understands it; days are those of `zone`.

    Raises: ValueError that says what is wrong with it.
    """
    found = _PATH.fullmatch(request.path)
    if found is None:
        raise ValueError("the path must be /v2/aggs/ticker/{ticker}/range/1/minute/{from}/{to}")
    if (found["count"], found["span"]) != ("1", "minute"):
        raise ValueError("the range must be 1/minute")
    if request.query.get("sort", "asc") != "asc":
        raise ValueError("sort must be asc")
    start_us, end_us = _instant_us(found["start"], zone), _instant_us(found["end"], zone, is_end=True)
    if end_us <= start_us:
        raise ValueError("from must not be later than to")
    return AggregatesRequest(found["ticker"], start_us, end_us, _limit(request.query), found["end"])


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise ValueError(f"limit must lie from 1 to {MAX_LIMIT}")
    return int(text)


def _instant_us(text: str, zone: str, *, is_end: bool = False) -> int:
    """Where a range begins, or the first instant after it: ends are included."""
    if _DAY.fullmatch(text):
        day = date.fromisoformat(text) + timedelta(days=is_end)
        return us_from_datetime(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)))
    if _EPOCH_MS.fullmatch(text):
        return (int(text) + is_end) * 1_000
    raise ValueError("from and to must be YYYY-MM-DD or epoch milliseconds")
