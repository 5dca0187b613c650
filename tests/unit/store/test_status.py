"""Counters of sources, their newest runs, and whether somebody works on them."""

from __future__ import annotations

from dataspine.store.status import RECENT_RUNS, is_source_busy, source_rows
from tests.builders import ingest_quotes, ingest_trades, quote, trade


def test_counters_and_runs_of_each_source(spine):
    ingest_trades(spine, [trade(side="HOLD")])
    ingest_quotes(spine, [quote("A"), quote("B", price="-1")])
    ingest_quotes(spine, [quote("A"), quote("B", price="-1")])
    quotes, trades = source_rows(spine.workspace.database)
    assert (quotes.source, quotes.rows_stored, quotes.open_letters) == ("quotes", 1, 1)
    assert (quotes.runs, quotes.rows_read, quotes.rejected) == (2, 4, 2)
    assert [run.run_id for run in quotes.recent] == [2, 3]
    assert (trades.source, trades.kind, trades.rows_stored, trades.rejected) == ("trades", "trade", 0, 1)


def test_only_the_newest_runs_are_listed(spine):
    for number in range(RECENT_RUNS + 1):
        ingest_quotes(spine, [quote(price=str(number + 1))], object_name=str(number))
    (row,) = source_rows(spine.workspace.database)
    assert [run.run_id for run in row.recent] == list(range(2, RECENT_RUNS + 2))
    assert row.runs == RECENT_RUNS + 1


def test_source_is_busy_while_its_lock_is_held(spine):
    home = spine.workspace.home
    assert not is_source_busy(home, "quotes")
    with spine.workspace.source_lock("quotes"):
        assert is_source_busy(home, "quotes")
        assert not is_source_busy(home, "trades")
    assert not is_source_busy(home, "quotes")
