"""A vendor's allowance of requests: a token bucket in which live requests go before operators' and backfills'."""

from __future__ import annotations

import math
from typing import NamedTuple

from dataspine.schemas.job import Lane
from dataspine.schemas.source import RateSettings

RESERVED_SHARE = {Lane.LIVE: 0.0, Lane.OPERATOR: 0.2, Lane.BACKFILL: 0.4}
"""Share of the burst that a lane leaves for the lanes before it."""
_S_PER_MINUTE = 60.0
_US_PER_S = 1_000_000
# Tokens are sums of fractions: a bucket that is full but for a rounding error is full.
_ROUNDING = 1e-6


class Grant(NamedTuple):
    """Whether one request may go now, and the bucket after that."""

    granted: bool
    tokens: float
    """Requests that may still go; they hold from the instant of asking, which the caller keeps beside them."""
    wait_s: float
    """Seconds until the same lane is granted one, if nobody else takes any; 0 where it was granted."""


def take(tokens: float, refilled_us: int, settings: RateSettings, now_us: int, lane: Lane) -> Grant:
    """Take one request out of a vendor's bucket for a lane, if that leaves the lane's reserve.

    A clock that went back refills nothing and takes nothing away. Any T seconds hold at most
    `burst + T * per_minute / 60` grants.
    """
    rate = settings.per_minute / _S_PER_MINUTE
    refilled = tokens + max(now_us - refilled_us, 0) / _US_PER_S * rate
    level = min(max(refilled, 0.0), float(settings.burst))
    needed = 1.0 + reserve(settings, lane)
    if level + _ROUNDING >= needed:
        return Grant(granted=True, tokens=max(level - 1.0, 0.0), wait_s=0.0)
    wait_us = math.ceil((needed - level) / rate * _US_PER_S)
    return Grant(granted=False, tokens=level, wait_s=wait_us / _US_PER_S)


def reserve(settings: RateSettings, lane: Lane) -> int:
    """Whole requests that a lane leaves in the bucket; always below `burst`, so that no lane starves by itself."""
    return math.floor(settings.burst * RESERVED_SHARE[lane])
