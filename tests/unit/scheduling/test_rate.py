"""The token bucket at its edges: burst, refill, each lane's reserve, and a clock that goes back."""

from __future__ import annotations

import pytest

from dataspine.scheduling.rate import reserve, take
from dataspine.schemas.job import Lane
from dataspine.schemas.source import RateSettings

SETTINGS = RateSettings(per_minute=60, burst=10)


def drained(lane: Lane, settings: RateSettings = SETTINGS) -> int:
    """Requests that a lane gets out of a full bucket at one instant."""
    tokens, count = float(settings.burst), 0
    while (grant := take(tokens, 0, settings, 0, lane)).granted:
        tokens, count = grant.tokens, count + 1
    return count


def test_each_lane_leaves_its_reserve():
    assert [drained(lane) for lane in (Lane.LIVE, Lane.OPERATOR, Lane.BACKFILL)] == [10, 8, 6]


@pytest.mark.parametrize("burst", range(1, 12))
def test_no_lane_starves_in_a_full_bucket(burst):
    settings = RateSettings(per_minute=60, burst=burst)
    assert reserve(settings, Lane.BACKFILL) < burst
    assert drained(Lane.BACKFILL, settings) >= 1


def test_an_empty_bucket_says_how_long_to_wait_and_then_grants():
    refused = take(0.0, 0, SETTINGS, 0, Lane.LIVE)
    assert refused == (False, 0.0, 1.0)
    assert not take(0.0, 0, SETTINGS, 999_000, Lane.LIVE).granted
    assert take(0.0, 0, SETTINGS, 1_000_000, Lane.LIVE).granted


def test_a_backfill_waits_for_its_reserve_too():
    assert take(0.0, 0, SETTINGS, 0, Lane.BACKFILL).wait_s == 5.0
    assert take(5.0, 0, SETTINGS, 0, Lane.BACKFILL) == (True, 4.0, 0.0)


def test_a_long_pause_fills_no_more_than_the_burst():
    assert take(3.0, 0, SETTINGS, 3_600_000_000, Lane.LIVE).tokens == 9.0


def test_a_clock_that_went_back_neither_refills_nor_takes():
    assert take(0.5, 10_000_000, SETTINGS, 2_000_000, Lane.LIVE) == (False, 0.5, 0.5)
    assert take(4.0, 10_000_000, SETTINGS, 2_000_000, Lane.LIVE).tokens == 3.0


def test_a_burst_that_was_made_smaller_holds_at_once():
    assert take(500.0, 0, SETTINGS, 0, Lane.LIVE).tokens == 9.0
