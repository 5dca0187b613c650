"""Status: the worst on top, a line of newest runs, and no share where nothing was read."""

from __future__ import annotations

import pytest

from dataspine.service.status import status_of
from tests.builders import (
    NOW_US,
    ingest_bytes,
    ingest_quotes,
    kill_after_first_chunk,
    quote,
    quote_profile,
)


def ingest_good(spine, name):
    ingest_quotes(spine, [quote()], profile=quote_profile(name))


def ingest_some_bad(spine, name, bad=1):
    records = [quote(), *(quote(f"S{number}", price="-1") for number in range(bad))]
    ingest_quotes(spine, records, profile=quote_profile(name), object_name=f"bad {bad}")


def ingest_refused(spine, name):
    ingest_bytes(spine, quote_profile(name), b"[1,", object_name="cut")


def test_worst_is_on_top(spine, desk):
    ingest_good(spine, "good")
    ingest_refused(spine, "refused")
    ingest_some_bad(spine, "b_few")
    ingest_some_bad(spine, "c_many", bad=3)
    ingest_some_bad(spine, "a_few")
    kill_after_first_chunk(spine, [quote(), quote("B")], profile=quote_profile("died"))
    found = status_of(desk)
    assert [(source.source, source.state) for source in found.sources] == [
        ("died", "lost"),
        ("refused", "rejected"),
        ("c_many", "with_rejects"),
        ("a_few", "with_rejects"),
        ("b_few", "with_rejects"),
        ("good", "succeeded"),
    ]


def test_line_of_runs_reads_from_old_to_new(spine, desk):
    for ingest in (ingest_good, ingest_some_bad, ingest_refused):
        ingest(spine, "quotes")
    kill_after_first_chunk(spine, [quote(price="2"), quote("B")], profile=quote_profile(), object_name="died")
    assert status_of(desk).sources[0].recent == ".oX!"
    with spine.workspace.source_lock("quotes"):
        assert status_of(desk).sources[0].recent == ".oX>"
        assert status_of(desk).sources[0].state == "running"
    ingest_good(spine, "quotes")
    assert status_of(desk).sources[0].recent == ".oX!."


def test_counters_and_totals(spine, desk):
    spine.clock.advance_s(1)
    ingest_good(spine, "a")
    ingest_some_bad(spine, "b", bad=3)
    found = status_of(desk)
    b, a = found.sources
    assert (b.rows_stored, b.rows_read, b.rejected, b.open_letters, b.ok_pct) == (1, 4, 3, 3, 25.0)
    assert (a.ok_pct, a.last_run_at_us) == (100.0, NOW_US + 1_000_000)
    assert (found.total("rows_read"), found.ok_pct) == (5, 40.0)


@pytest.mark.parametrize("content", [b"[]", b"[ ]"])
def test_no_share_of_nothing(spine, desk, content):
    ingest_bytes(spine, quote_profile(), content, object_name="empty")
    (source,) = status_of(desk).sources
    assert (source.rows_read, source.ok_pct) == (0, None)


def test_nothing_was_ingested(desk):
    found = status_of(desk)
    assert (found.sources, found.ok_pct, found.total("rows_stored")) == ((), None, 0)
