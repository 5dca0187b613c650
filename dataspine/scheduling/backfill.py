"""A backfill of dates for library users: one call a date, in order, and a failed date stops none of the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from dataspine.clock import Clock, SystemClock
from dataspine.errors import RequestError
from dataspine.scheduling.plan import utc_days

_LOG = logging.getLogger(__name__)


class BackfillRunner:
    """Runs a pipeline over dates."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def run_backfill(
        self, start: date | str, end: date | str, pipeline_fn: Callable[[date], Any]
    ) -> dict[str, Any]:
        """Call `pipeline_fn(date)` for every date from `start` to `end`, both included, oldest first.

        The answer has `dates_processed` and `dates_failed` (how many), `processed` (ISO dates), `failed` (ISO date and
        error of each), `start`, `end`, and `total_duration` in seconds.

        Raises: RequestError if a date is none, or `start` is after `end`.
        """
        first, last = _day(start), _day(end)
        began_s = self._clock.monotonic_s()
        processed: list[str] = []
        failed: list[dict[str, str]] = []
        for session in utc_days(first, last):
            error = _attempt(pipeline_fn, session.day)
            if error is None:
                processed.append(session.day.isoformat())
            else:
                failed.append({"date": session.day.isoformat(), "error": error})
        return {
            "start": first.isoformat(),
            "end": last.isoformat(),
            "dates_processed": len(processed),
            "dates_failed": len(failed),
            "processed": processed,
            "failed": failed,
            "total_duration": self._clock.monotonic_s() - began_s,
        }


def _attempt(pipeline_fn: Callable[[date], Any], day: date) -> str | None:
    """The error of one date, or None."""
    try:
        pipeline_fn(day)
    except Exception as error:  # noqa: BLE001 - the border of a job: whatever a date raises, the next one is tried
        _LOG.exception("date_failed", extra={"date": day.isoformat()})
        return f"{type(error).__name__}: {error}"
    _LOG.info("date_processed", extra={"date": day.isoformat()})
    return None


def _day(given: date | str) -> date:
    if isinstance(given, datetime):
        return given.date()
    if isinstance(given, date):
        return given
    try:
        return date.fromisoformat(given)
    except (ValueError, TypeError) as error:
        raise RequestError(
            "a backfill needs dates", found=repr(given), cure="Write it like 2026-01-09"
        ) from error
