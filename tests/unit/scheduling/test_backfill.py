"""The library's backfill: every date once, in order, whatever a date does."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime

import pytest

from dataspine.clock import FrozenClock
from dataspine.errors import RequestError
from dataspine.scheduling.backfill import BackfillRunner
from tests.builders import NOW_US


def test_every_date_is_called_once_in_order_over_a_month_end():
    seen = []
    answer = BackfillRunner().run_backfill("2024-02-27", date(2024, 3, 1), seen.append)
    assert seen == [date(2024, 2, 27), date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    assert (answer["dates_processed"], answer["dates_failed"]) == (4, 0)
    assert answer["processed"] == ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]


def test_one_date_is_a_range():
    seen = []
    at = datetime(2026, 1, 9, 23, tzinfo=UTC)
    assert BackfillRunner().run_backfill(at, "2026-01-09", seen.append)["dates_processed"] == 1
    assert seen == [date(2026, 1, 9)]


def test_a_failed_date_is_told_and_stops_none_of_the_others(caplog):
    clock = FrozenClock(NOW_US)

    def pipeline(day):
        clock.advance_s(2)
        if day.day == 6:
            raise ConnectionError("vendor is down")

    with caplog.at_level(logging.ERROR, logger="dataspine"):
        answer = BackfillRunner(clock=clock).run_backfill("2026-01-05", "2026-01-07", pipeline)
    assert answer == {
        "start": "2026-01-05",
        "end": "2026-01-07",
        "dates_processed": 2,
        "dates_failed": 1,
        "processed": ["2026-01-05", "2026-01-07"],
        "failed": [{"date": "2026-01-06", "error": "ConnectionError: vendor is down"}],
        "total_duration": 6.0,
    }
    assert [record.date for record in caplog.records] == ["2026-01-06"]


def test_interrupting_ends_it():
    def pipeline(day):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        BackfillRunner().run_backfill("2026-01-05", "2026-01-07", pipeline)


@pytest.mark.parametrize(
    ("start", "end"),
    [("2026-01-07", "2026-01-06"), ("2026-02-30", "2026-03-01"), ("", "2026-01-01"), (5, "2026-01-01")],
)
def test_dates_that_cannot_be_are_refused(start, end):
    with pytest.raises(RequestError):
        BackfillRunner().run_backfill(start, end, print)
