"""Trying again: how long to wait and when to stop, decided purely, and one runner that does it."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from dataspine.adapters.http import MAX_RETRY_AFTER_S
from dataspine.clock import Clock, SystemClock
from dataspine.errors import DataspineError
from dataspine.schemas.job import SourceHealth, SourceState
from dataspine.schemas.source import RetrySettings

MAX_DEAD_LETTERS = 10_000
"""Dead letters that a `RetryHandler` keeps; the oldest go first. All of them are in the log."""
_LOG = logging.getLogger(__name__)
_US_PER_S = 1_000_000
_MAX_DOUBLINGS = 60
"""2 ** 60 seconds are over every ceiling, and still a float."""
_PERMANENT = (ValueError, TypeError)
"""Errors of a value, pydantic's among them: the same value fails again."""
# Primary result codes of SQLite: busy, locked.
_BUSY_CODES = frozenset({5, 6})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How failed attempts are tried again, and when a source is left alone. As `RetrySettings`."""

    max_attempts: int = 5
    base_delay_s: float = 1.0
    max_delay_s: float = 120.0
    budget_s: float = 900.0
    degraded_after: int = 3
    failed_after: int = 10
    circuit_s: float = 300.0


def policy_from_settings(settings: RetrySettings) -> RetryPolicy:
    """The policy that a source's profile declares."""
    return RetryPolicy(**settings.model_dump())


def next_delay_s(
    policy: RetryPolicy,
    attempt: int,
    *,
    elapsed_s: float,
    fraction: float,
    retry_after_s: float | None = None,
) -> float | None:
    """Seconds to wait before attempt `attempt + 1`, or None to stop.

    The wait doubles from `base_delay_s` up to `max_delay_s`; between half and all of it is taken, by `fraction`. A
    vendor's Retry-After is waited for where it is longer, up to 15 minutes. None after the last attempt, and where
    the wait would end later than `budget_s` after the first attempt began.

    Units:  attempt counts from 1; elapsed_s since the first attempt began; fraction is a random number in 0..1.
    Raises: ValueError for an attempt below 1 or a fraction outside 0..1.
    """
    if attempt < 1 or not 0.0 <= fraction <= 1.0:
        raise ValueError(f"attempts count from 1 and a fraction is in 0..1, got {attempt} and {fraction}")
    if attempt >= policy.max_attempts:
        return None
    ceiling_s = min(policy.max_delay_s, policy.base_delay_s * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS))
    delay_s = ceiling_s * (1.0 + fraction) / 2.0
    if retry_after_s is not None:
        delay_s = max(delay_s, min(retry_after_s, MAX_RETRY_AFTER_S))
    return delay_s if elapsed_s + delay_s <= policy.budget_s else None


def is_transient(error: BaseException) -> bool:
    """Whether the same attempt may succeed later: our errors say so, else time-outs, connections, a busy database."""
    if isinstance(error, DataspineError):
        return error.transient
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _BUSY_CODES


def may_try(health: SourceHealth, *, policy: RetryPolicy, now_us: int) -> bool:
    """Whether the circuit lets an attempt through: always, but for a failed source before its next try."""
    if health.state is not SourceState.FAILED or health.next_try_us is None:
        return True
    # A next try further away than the circuit holds was set by a clock that has gone back since.
    return not now_us < health.next_try_us <= now_us + round(policy.circuit_s * _US_PER_S)


def let_through(health: SourceHealth, *, policy: RetryPolicy, now_us: int) -> SourceHealth | None:
    """The health to store before an attempt, or None if the circuit lets none through.

    A failed source gets one attempt per `circuit_s`: the attempt that goes through moves the next try away.
    """
    if not may_try(health, policy=policy, now_us=now_us):
        return None
    if health.state is not SourceState.FAILED:
        return health
    return replace(health, next_try_us=now_us + round(policy.circuit_s * _US_PER_S))


def health_after(
    health: SourceHealth, *, ok: bool, policy: RetryPolicy, now_us: int, error: str | None = None
) -> SourceHealth:
    """How a source fares after an attempt: one success makes it ok, failures in a row degraded and then failed."""
    if ok:
        return SourceHealth(health.source, last_error=health.last_error, last_ok_us=now_us)
    failures = health.failures + 1
    state = SourceState.DEGRADED if failures >= policy.degraded_after else SourceState.OK
    next_try_us = None
    if failures >= policy.failed_after:
        state = SourceState.FAILED
        next_try_us = now_us + round(policy.circuit_s * _US_PER_S)
    return replace(health, state=state, failures=failures, last_error=error, next_try_us=next_try_us)


@dataclass(frozen=True, slots=True)
class DeadTask:
    """A call that was given up."""

    name: str
    """Of the function."""
    error_type: str
    error: str
    attempts: int
    is_permanent: bool
    """Whether the error is of a kind that trying again does not cure."""
    at_us: int
    again: Callable[[], Any] = field(repr=False, compare=False)
    """The same call; its arguments are not shown, they may be secret."""


class RetryHandler:
    """Runs functions, and runs them again when they fail for a reason that may pass."""

    def __init__(self, *, clock: Clock | None = None, fraction: Callable[[], float] = random.random) -> None:
        self._clock = clock or SystemClock()
        self._fraction = fraction
        self.dead_letters: list[DeadTask] = []
        """Calls that were given up, oldest first."""

    def execute_with_retry(
        self, fn: Callable[..., Any], *args: Any, max_retries: int = 3, base_delay: float = 1.0, **kw: Any
    ) -> tuple[bool, Any, int]:
        """Call `fn(*args, **kw)`, and up to `max_retries` times again; whether it succeeded, its result, attempts.

        Errors of a value (ValueError, TypeError, validation) and our own permanent ones are not tried again. What is
        given up is a dead letter and a line in the log; the result is then None.

        Units:  base_delay in seconds before the first retry; it doubles, with jitter, up to 120 s.
        Raises: ValueError if max_retries or base_delay is negative.
        """
        if max_retries < 0 or not base_delay >= 0:
            raise ValueError(
                f"max_retries and base_delay must not be negative, got {max_retries}, {base_delay}"
            )
        call = partial(fn, *args, **kw)
        policy = RetryPolicy(max_attempts=max_retries + 1, base_delay_s=base_delay, budget_s=math.inf)
        attempt = 1
        while True:
            try:
                return True, call(), attempt
            except Exception as error:  # noqa: BLE001 - the border of a job: whatever it raises becomes a dead letter
                delay_s = self._delay_s(policy, attempt, error)
                if delay_s is None:
                    self._bury(call, error, attempt)
                    return False, None, attempt
                _LOG.warning(
                    "attempt_failed",
                    extra={"task": _name(fn), "attempt": attempt, "delay_s": delay_s, "error": str(error)},
                )
            self._clock.sleep_s(delay_s)
            attempt += 1

    def _delay_s(self, policy: RetryPolicy, attempt: int, error: Exception) -> float | None:
        if is_permanent(error):
            return None
        return next_delay_s(
            policy,
            attempt,
            elapsed_s=0.0,
            fraction=self._fraction(),
            retry_after_s=getattr(error, "retry_after_s", None),
        )

    def _bury(self, call: partial[Any], error: Exception, attempts: int) -> None:
        name, error_type, permanent = _name(call.func), type(error).__name__, is_permanent(error)
        letter = DeadTask(name, error_type, str(error), attempts, permanent, self._clock.now_us(), call)
        self.dead_letters.append(letter)
        del self.dead_letters[:-MAX_DEAD_LETTERS]
        _LOG.error(
            "dead_task",
            exc_info=error,
            extra={"task": name, "attempts": attempts, "error_type": error_type, "error": str(error)},
        )


def is_permanent(error: Exception) -> bool:
    """Whether trying again cannot help a call: an error of a value, or one of ours that does not pass."""
    if isinstance(error, DataspineError):
        return not error.transient
    return isinstance(error, _PERMANENT) and not is_transient(error)


def _name(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__qualname__", None) or type(fn).__name__
