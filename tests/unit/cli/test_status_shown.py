"""Status as text: 80 columns whatever stands in it, counters that never flatter, names that do not act."""

from __future__ import annotations

import pytest

from dataspine.cli.status_shown import (
    EMPTY,
    LEGEND,
    percentage,
    short_count,
    short_instant,
    status_document,
    status_text,
)
from dataspine.service.status import SourceStatus, Status
from tests.builders import NOW_US


def make_source(**values):
    given = {
        "source": "quotes",
        "kind": "market",
        "state": "with_rejects",
        "last_run_id": 7,
        "last_run_at_us": NOW_US,
        "rows_stored": 10_000_500,
        "rows_read": 12_000_000,
        "rejected": 1,
        "open_letters": 1,
        "runs": 7,
        "recent": "......o",
    }
    return SourceStatus(**(given | values))


def test_text_shows_every_counter():
    lines = status_text(Status(NOW_US, (make_source(),)), width=90).splitlines()
    assert lines[0].split() == ["source", "state", "last", "run", "stored", "read", "ok", "open", "runs"]
    assert " ".join(lines[1].split()) == "quotes with rejects 13:30Z 10,000,500 12,000,000 99.9% 1 ......o"
    assert " ".join(lines[2].split()) == "total 10,000,500 12,000,000 99.9% 1"
    assert lines[-1] == LEGEND


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"source": "a" * 40},
        {"source": "a" * 40, "rows_stored": 10**15 - 1, "rows_read": 10**15 - 1, "open_letters": 999_999},
        {"state": "interrupted", "recent": "!" * 12, "last_run_at_us": 0},
    ],
)
def test_every_line_fits(values):
    text = status_text(Status(NOW_US, (make_source(**values), make_source())), width=80)
    assert max(len(line) for line in text.splitlines()) <= 80


def test_hostile_name_is_inert():
    assert "\x1b" not in status_text(Status(NOW_US, (make_source(source="\x1b[2J"),)), width=80)


def test_empty_workspace_says_what_to_do():
    assert status_text(Status(NOW_US, ()), width=80) == EMPTY


@pytest.mark.parametrize(
    ("share", "shown"), [(None, "-"), (100.0, "100.0%"), (99.99999, "99.9%"), (0.0, "0.0%")]
)
def test_share_never_flatters(share, shown):
    assert percentage(share) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999_999, "999,999"),
        (1_000_000, "1.0M"),
        (1_999_999, "1.9M"),
        (10**9, "1.0G"),
        (10**12, "1.0T"),
    ],
)
def test_short_counter_is_cut(number, shown):
    assert short_count(number) == shown


def test_instant_of_today_is_a_time_and_of_another_day_a_date():
    assert short_instant(NOW_US, now_us=NOW_US) == "13:30Z"
    assert short_instant(NOW_US - 86_400_000_000, now_us=NOW_US) == "2026-01-08"


def test_document_keeps_exact_counters():
    document = status_document(Status(NOW_US, (make_source(),)))
    assert document["at"] == "2026-01-09T13:30:00Z"
    assert document["sources"][0]["rows_stored"] == 10_000_500
    assert document["total"]["open_letters"] == 1
