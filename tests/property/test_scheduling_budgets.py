"""A vendor's allowance and a source's retry budget are never exceeded, and live work is never held up by backfills."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from dataspine.clock import FrozenClock
from dataspine.scheduling.rate import reserve, take
from dataspine.scheduling.retry import RetryHandler, RetryPolicy, next_delay_s
from dataspine.schemas.job import Lane
from dataspine.schemas.source import RateSettings

rates = st.builds(RateSettings, per_minute=st.floats(0.5, 6_000), burst=st.integers(1, 50))
lanes = st.sampled_from(Lane)
asks = st.lists(st.tuples(st.integers(0, 90_000_000), lanes), min_size=1, max_size=80)
policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 12),
    base_delay_s=st.floats(0.001, 60),
    max_delay_s=st.floats(0.001, 900),
    budget_s=st.floats(0.1, 7_200),
)
fractions = st.floats(0, 1)


@given(rates, asks)
def test_no_window_holds_more_than_burst_and_refill(rate, asked):
    tokens, refilled_us, now_us, granted_us = float(rate.burst), 0, 0, []
    for pause_us, lane in asked:
        now_us += pause_us
        grant = take(tokens, refilled_us, rate, now_us, lane)
        tokens, refilled_us = grant.tokens, now_us
        assert 0.0 <= tokens <= rate.burst
        if grant.granted:
            granted_us.append(now_us)
    for first, start_us in enumerate(granted_us):
        for count, end_us in enumerate(granted_us[first:], start=1):
            allowed = rate.burst + (end_us - start_us) / 60e6 * rate.per_minute
            assert count <= allowed + 1e-3


@given(rates, st.floats(0, 50), lanes)
def test_who_waits_as_told_is_granted(rate, tokens, lane):
    refused = take(tokens, 0, rate, 0, lane)
    if refused.granted:
        return
    assert refused.wait_s > 0
    assert take(refused.tokens, 0, rate, math.ceil(refused.wait_s * 1e6), lane).granted


@given(rates, st.lists(st.sampled_from((Lane.OPERATOR, Lane.BACKFILL)), max_size=100))
def test_whatever_others_take_leaves_live_its_reserve(rate, asked):
    tokens = float(rate.burst)
    for lane in asked:
        tokens = take(tokens, 0, rate, 0, lane).tokens
    kept = reserve(rate, Lane.OPERATOR)
    for _ in range(kept):
        grant = take(tokens, 0, rate, 0, Lane.LIVE)
        assert grant.granted
        tokens = grant.tokens


@given(policies, st.integers(1, 14), fractions, st.none() | st.floats(0, 10_000))
def test_a_wait_is_within_its_jitter_or_the_vendors_word(policy, attempt, fraction, retry_after_s):
    found = next_delay_s(policy, attempt, elapsed_s=0.0, fraction=fraction, retry_after_s=retry_after_s)
    if attempt >= policy.max_attempts:
        assert found is None
        return
    ceiling_s = min(policy.max_delay_s, policy.base_delay_s * 2 ** (attempt - 1))
    asked_s = min(retry_after_s or 0.0, 900.0)
    if found is None:
        assert max(ceiling_s, asked_s) > policy.budget_s
        return
    assert max(ceiling_s / 2, asked_s) <= found <= max(ceiling_s, asked_s)
    assert found <= policy.budget_s


@given(
    policies, st.lists(st.tuples(fractions, st.none() | st.floats(0, 1_000), st.floats(0, 120)), min_size=60)
)
@settings(max_examples=40)
def test_no_attempt_begins_after_the_budget_or_beyond_the_last(policy, drawn):
    begun_s, elapsed_s = [0.0], 0.0
    for fraction, retry_after_s, took_s in drawn:
        elapsed_s += took_s
        delay_s = next_delay_s(
            policy, len(begun_s), elapsed_s=elapsed_s, fraction=fraction, retry_after_s=retry_after_s
        )
        if delay_s is None:
            break
        elapsed_s += delay_s
        begun_s.append(elapsed_s)
    assert len(begun_s) <= policy.max_attempts
    assert begun_s[-1] <= policy.budget_s


@given(st.integers(0, 12), st.floats(0, 5), st.data())
def test_the_runner_makes_one_attempt_more_than_retries_and_waits_between_them(max_retries, base_delay, data):
    clock, begun_s = FrozenClock(0), []

    def failing() -> None:
        begun_s.append(clock.monotonic_s())
        raise TimeoutError

    tried = RetryHandler(clock=clock, fraction=lambda: data.draw(fractions))
    assert tried.execute_with_retry(failing, max_retries=max_retries, base_delay=base_delay) == (
        False,
        None,
        max_retries + 1,
    )
    for number, (before_s, after_s) in enumerate(pairwise(begun_s)):
        ceiling_s = min(120.0, base_delay * 2**number)
        assert ceiling_s / 2 - 1e-5 <= after_s - before_s <= ceiling_s + 1e-5
