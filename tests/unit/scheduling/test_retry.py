"""When a failed attempt is tried again, when a source is left alone, and the runner that does the trying."""

from __future__ import annotations

import logging
import math
import sqlite3

import pytest
from pydantic import BaseModel, ValidationError

from dataspine.clock import FrozenClock
from dataspine.errors import (
    BusyError,
    ConfigError,
    PayloadError,
    SourceRefused,
    SourceUnavailable,
    StorageCorrupt,
    StorageFull,
)
from dataspine.scheduling.retry import (
    MAX_DEAD_LETTERS,
    RetryHandler,
    RetryPolicy,
    health_after,
    is_transient,
    let_through,
    may_try,
    next_delay_s,
    policy_from_settings,
)
from dataspine.schemas.job import SourceHealth, SourceState
from dataspine.schemas.source import RetrySettings
from tests.builders import NOW_US

POLICY = RetryPolicy()
S = 1_000_000


def delay(
    attempt: int, *, policy: RetryPolicy = POLICY, fraction: float = 1.0, **given: float
) -> float | None:
    return next_delay_s(policy, attempt, **{"elapsed_s": 0.0, "fraction": fraction, **given})


def test_the_default_policy_is_that_of_a_profile():
    assert policy_from_settings(RetrySettings()) == POLICY


def test_the_wait_doubles_up_to_its_ceiling_and_stops_after_the_last_attempt():
    policy = RetryPolicy(max_attempts=10, max_delay_s=20.0)
    assert [delay(attempt, policy=policy) for attempt in range(1, 11)] == [
        1,
        2,
        4,
        8,
        16,
        20,
        20,
        20,
        20,
        None,
    ]


def test_jitter_takes_between_half_and_all_of_the_wait():
    assert delay(3, fraction=0.0) == 2.0
    assert delay(3, fraction=0.5) == 3.0
    assert delay(3, fraction=1.0) == 4.0


def test_a_vendors_retry_after_is_waited_for_up_to_15_minutes():
    policy = RetryPolicy(budget_s=10_000)
    assert delay(1, policy=policy, retry_after_s=600.0) == 600.0
    assert delay(1, policy=policy, retry_after_s=86_400.0) == 900.0
    assert delay(3, policy=policy, retry_after_s=0.5) == 4.0


def test_the_budget_ends_it_exactly():
    policy = RetryPolicy(budget_s=10.0)
    assert delay(1, policy=policy, elapsed_s=9.0) == 1.0
    assert delay(1, policy=policy, elapsed_s=9.001) is None
    assert delay(1, policy=policy, retry_after_s=10.1) is None


def test_a_thousandth_attempt_is_no_overflow():
    assert delay(1_000, policy=RetryPolicy(max_attempts=2_000)) == 120.0


@pytest.mark.parametrize(("attempt", "fraction"), [(0, 0.5), (1, -0.1), (1, 1.1), (1, math.nan)])
def test_impossible_arguments_are_refused(attempt, fraction):
    with pytest.raises(ValueError, match="attempts count from 1"):
        delay(attempt, fraction=fraction)


def busy_error(tmp_path) -> sqlite3.OperationalError:
    """What SQLite itself raises while another connection writes."""
    writer, other = (sqlite3.connect(tmp_path / "x.db", timeout=0, isolation_level=None) for _ in range(2))
    writer.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(sqlite3.OperationalError) as found:
            other.execute("BEGIN IMMEDIATE")
    finally:
        writer.close()
        other.close()
    return found.value


def test_what_may_pass_is_transient(tmp_path):
    passing = [
        SourceUnavailable("x"),
        BusyError("x"),
        StorageFull("x"),
        TimeoutError(),
        ConnectionResetError(),
    ]
    assert all(is_transient(error) for error in [*passing, busy_error(tmp_path)])


@pytest.mark.parametrize(
    "error",
    [
        SourceRefused("x"),
        ConfigError("x"),
        PayloadError("JSON_SYNTAX", "x"),
        StorageCorrupt("x"),
        ValueError(),
        FileNotFoundError(),
        RuntimeError(),
        sqlite3.OperationalError("no such table"),
    ],
)
def test_what_does_not_pass_is_permanent(error):
    assert not is_transient(error)


def after(health: SourceHealth, *, oks: str, now_us: int = NOW_US) -> SourceHealth:
    """Health after attempts, `+` for one that succeeded and `-` for one that failed."""
    for mark in oks:
        health = health_after(health, ok=mark == "+", policy=POLICY, now_us=now_us, error="refused")
    return health


def test_health_goes_down_in_steps_and_up_at_once():
    fresh = SourceHealth("quotes")
    assert after(fresh, oks="--") == SourceHealth("quotes", SourceState.OK, 2, "refused")
    assert after(fresh, oks="---").state is SourceState.DEGRADED
    assert after(fresh, oks="-" * 9).next_try_us is None
    failed = after(fresh, oks="-" * 10)
    assert (failed.state, failed.failures, failed.next_try_us) == (SourceState.FAILED, 10, NOW_US + 300 * S)
    assert after(failed, oks="+") == SourceHealth("quotes", last_error="refused", last_ok_us=NOW_US)
    assert after(fresh, oks="--+--").state is SourceState.OK


def test_a_failed_source_gets_one_attempt_per_circuit():
    failed = after(SourceHealth("quotes"), oks="-" * 10)
    at_us = NOW_US + 300 * S
    assert let_through(failed, policy=POLICY, now_us=at_us - 1) is None
    tried = let_through(failed, policy=POLICY, now_us=at_us)
    assert tried is not None
    assert tried.next_try_us == at_us + 300 * S
    assert let_through(tried, policy=POLICY, now_us=at_us + 1) is None
    assert after(tried, oks="-", now_us=at_us + 5 * S).next_try_us == at_us + 305 * S
    assert after(tried, oks="+").state is SourceState.OK


def test_a_degraded_source_is_tried_as_before():
    degraded = after(SourceHealth("quotes"), oks="---")
    assert let_through(degraded, policy=POLICY, now_us=NOW_US) == degraded


def test_a_clock_that_went_back_opens_the_circuit():
    failed = after(SourceHealth("quotes"), oks="-" * 10)
    assert may_try(failed, policy=POLICY, now_us=NOW_US - 7_200 * S)
    assert not may_try(failed, policy=POLICY, now_us=NOW_US)


class Flaky:
    """Fails with the given errors in order, then returns what it was called with."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, *args, **kw):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return args, kw


def handler(fraction: float = 1.0) -> tuple[RetryHandler, FrozenClock]:
    clock = FrozenClock(NOW_US)
    return RetryHandler(clock=clock, fraction=lambda: fraction), clock


def test_success_at_once_waits_for_nothing():
    tried, clock = handler()
    assert tried.execute_with_retry(Flaky(), 1, symbol="AAPL") == (True, ((1,), {"symbol": "AAPL"}), 1)
    assert clock.now_us() == NOW_US
    assert tried.dead_letters == []


def test_success_at_the_third_attempt_has_waited_twice():
    tried, clock = handler()
    fn = Flaky(TimeoutError(), RuntimeError("reset by peer"))
    assert tried.execute_with_retry(fn) == (True, ((), {}), 3)
    assert clock.now_us() == NOW_US + (1 + 2) * S


def test_after_the_last_retry_it_is_a_dead_letter_that_can_be_run_again(caplog):
    tried, clock = handler()
    fn = Flaky(*[ConnectionError("refused")] * 4)
    with caplog.at_level(logging.ERROR, logger="dataspine"):
        assert tried.execute_with_retry(fn, "secret", max_retries=3, base_delay=2.0) == (False, None, 4)
    assert clock.now_us() == NOW_US + (2 + 4 + 8) * S
    (letter,) = tried.dead_letters
    assert (letter.error_type, letter.error, letter.attempts) == ("ConnectionError", "refused", 4)
    assert (letter.name, letter.is_permanent, letter.at_us) == ("Flaky", False, clock.now_us())
    assert letter.again() == (("secret",), {})
    assert "secret" not in repr(letter)
    assert [record.message for record in caplog.records] == ["dead_task"]


class Record(BaseModel):
    """A record whose only field is a number."""

    price: int


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as found:
        Record(price="x")
    return found.value


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        TypeError("x"),
        invalid(),
        PayloadError("JSON_SYNTAX", "x"),
        ConfigError("x"),
        SourceRefused("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_permanent_error_is_tried_once(error):
    tried, clock = handler()
    fn = Flaky(error)
    assert tried.execute_with_retry(fn) == (False, None, 1)
    assert (fn.calls, clock.now_us()) == (1, NOW_US)
    assert [letter.is_permanent for letter in tried.dead_letters] == [True]


def test_a_vendors_retry_after_is_waited_for():
    tried, clock = handler()
    refused = SourceUnavailable("429")
    refused.retry_after_s = 42.0
    assert tried.execute_with_retry(Flaky(refused))[2] == 2
    assert clock.now_us() == NOW_US + 42 * S


def test_no_retries_is_one_attempt():
    assert handler()[0].execute_with_retry(Flaky(TimeoutError()), max_retries=0) == (False, None, 1)


def test_interrupting_is_no_failure():
    def interrupted():
        raise KeyboardInterrupt

    tried, _ = handler()
    with pytest.raises(KeyboardInterrupt):
        tried.execute_with_retry(interrupted)
    assert tried.dead_letters == []


@pytest.mark.parametrize("given", [{"max_retries": -1}, {"base_delay": -0.1}, {"base_delay": math.nan}])
def test_negative_numbers_are_refused(given):
    with pytest.raises(ValueError, match="must not be negative"):
        RetryHandler().execute_with_retry(Flaky(), **given)


def test_the_oldest_dead_letters_go_first():
    tried, _ = handler()
    tried.dead_letters = ["oldest", *["old"] * (MAX_DEAD_LETTERS - 1)]
    tried.execute_with_retry(Flaky(ValueError("newest")))
    assert len(tried.dead_letters) == MAX_DEAD_LETTERS
    assert tried.dead_letters[0] == "old"
    assert tried.dead_letters[-1].error == "newest"


def test_jitter_is_drawn_anew_for_each_wait():
    clock, drawn = FrozenClock(NOW_US), iter((0.0, 1.0))
    tried = RetryHandler(clock=clock, fraction=lambda: next(drawn))
    tried.execute_with_retry(Flaky(TimeoutError(), TimeoutError()))
    assert clock.now_us() == NOW_US + round((0.5 + 2.0) * S)
