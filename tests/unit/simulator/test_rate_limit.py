"""The vendors' limit: so many at once, then as time passes."""

from __future__ import annotations

from dataspine.clock import FrozenClock
from dataspine.simulator.rate_limit import RateLimit


def test_a_bucket_empties_and_fills():
    clock = FrozenClock(0)
    limit = RateLimit(3, clock=clock)
    assert [limit.take() for _ in range(4)] == [0, 0, 0, 20]
    clock.advance_s(19.9)
    assert limit.take() == 1
    clock.advance_s(0.2)
    assert [limit.take() for _ in range(2)] == [0, 20]


def test_a_bucket_never_overflows():
    clock = FrozenClock(0)
    limit = RateLimit(2, clock=clock)
    clock.advance_s(3_600)
    assert [limit.take() for _ in range(3)] == [0, 0, 30]
