"""The account counted again: right for every fate that a record can have, wrong as soon as a table was touched."""

from __future__ import annotations

import pytest

from dataspine.pipeline.ingest import IngestOptions
from dataspine.pipeline.redrive import redrive
from dataspine.store import dead_letters
from dataspine.store.accounting import Counters, count_again
from tests.builders import (
    ingest_bytes,
    ingest_quotes,
    ingest_trades,
    kill_after_first_chunk,
    quote,
    quote_profile,
    trade,
)


def account(spine, **only):
    return count_again(spine.workspace.database, **only)


def counted(spine, run_id=None):
    """Counters of the newest run, which must be the recorded ones."""
    run = account(spine, run_id=run_id).runs[-1]
    assert run.counted == run.recorded
    return run.counted


def ingest_one_of_each(spine):
    ingest_quotes(spine, [quote("A"), quote("B"), quote("C")], object_name="first")
    records = [quote("A"), quote("B", price="2"), quote("D"), quote("D"), quote("E", price="-1")]
    ingest_quotes(spine, records, object_name="second")
    ingest_trades(spine, [trade("1"), trade("2", side="HOLD")])


def tamper(spine, *statements):
    """Change tables behind the triggers' back."""
    connection = spine.workspace.database.connection
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        assert connection.execute(statement).rowcount > 0


def test_every_fate_is_counted_once(spine):
    ingest_one_of_each(spine)
    found = account(spine)
    assert [run.counted for run in found.runs] == [
        Counters(3, 3, 0, 0, 0, 0),
        Counters(5, 1, 1, 1, 1, 1),
        Counters(2, 1, 0, 0, 1, 0),
    ]
    assert all(run.balanced for run in found.runs)
    assert [(one.source, one.rows_counted, one.letters_counted, one.balanced) for one in found.sources] == [
        ("quotes", 4, 1, True),
        ("trades", 1, 1, True),
    ]


def test_version_that_was_replaced_still_counts_for_its_writer(spine):
    for price in ("1", "2", "3"):
        ingest_quotes(spine, [quote(price=price)], object_name=price)
    assert [run.counted[1:4] for run in account(spine).runs] == [(1, 0, 0), (0, 0, 1), (0, 0, 1)]


def test_same_bytes_again_are_unchanged_and_rejected_again(spine):
    for _ in range(3):
        ingest_quotes(spine, [quote("A"), quote("B", price="-1")])
    assert [run.counted for run in account(spine).runs] == [
        Counters(2, 1, 0, 0, 1, 0),
        Counters(2, 0, 1, 0, 1, 0),
        Counters(2, 0, 1, 0, 1, 0),
    ]


@pytest.mark.parametrize("scope", ["payload", "batch"])
def test_payload_refused_whole_balances_each_time(spine, scope):
    records = [quote(f"S{number}", price="-1") for number in range(100)]
    for _ in range(2):
        if scope == "payload":
            ingest_bytes(spine, quote_profile(), b"[1,", object_name="cut")
        else:
            ingest_quotes(spine, records)
    rows = 1 if scope == "payload" else 100
    assert {run.state for run in account(spine).runs} == {"rejected"}
    assert [run.counted for run in account(spine).runs] == [Counters(rows, 0, 0, 0, rows, 0)] * 2


def test_batch_that_an_operator_insists_on_balances(spine):
    records = [quote(f"S{number}", price="-1" if number else "1") for number in range(100)]
    ingest_quotes(spine, records)
    ingest_quotes(spine, records, options=IngestOptions(breaker=False))
    assert [run.state for run in account(spine).runs] == ["rejected", "succeeded"]
    assert counted(spine) == Counters(100, 1, 0, 0, 99, 0)


def test_letter_resolved_by_another_profile_counts_for_the_first_run_only(spine):
    refused, passed = quote_profile(), quote_profile(symbology={"charset": "a"})
    for profile in (refused, passed, refused):
        ingest_quotes(spine, [quote("a")], profile=profile)
    assert [run.counted for run in account(spine).runs] == [
        Counters(1, 0, 0, 0, 1, 0),
        Counters(1, 1, 0, 0, 0, 0),
        Counters(1, 0, 0, 0, 1, 0),
    ]


def test_record_that_another_profile_skips_is_no_difference(spine):
    skipping = quote_profile(skip_when={"symbol": ("A",)})
    ingest_quotes(spine, [quote("A", price="-1"), quote("B")])
    ingest_quotes(spine, [quote("A", price="-1"), quote("B")], profile=skipping)
    assert counted(spine) == Counters(1, 0, 1, 0, 0, 0)


@pytest.mark.parametrize("profile", [quote_profile(), quote_profile(symbology={"charset": "a"})])
def test_redrive_and_the_payload_after_it_balance(spine, profile):
    ingest_quotes(spine, [quote("a")])
    letters = dead_letters.page(spine.workspace.database.connection)
    redrive(spine, profile, letters)
    ingest_quotes(spine, [quote("a")], profile=profile)
    found = account(spine)
    assert [run.kind for run in found.runs] == ["ingest", "redrive", "ingest"]
    assert all(run.balanced for run in found.runs)
    assert all(one.balanced for one in found.sources)


def test_running_run_is_counted_apart(spine):
    ingest_quotes(spine, [quote("A")])
    kill_after_first_chunk(spine, [quote("A", price="2"), quote("B")], object_name="second")
    found = account(spine)
    assert (len(found.runs), found.running) == (1, 1)
    assert found.runs[0].balanced
    assert found.sources[0].balanced


def test_interrupted_run_balances_at_nothing(spine):
    kill_after_first_chunk(spine, [quote("A"), quote("B")])
    ingest_quotes(spine, [quote("A"), quote("B")])
    found = account(spine)
    assert [run.state for run in found.runs] == ["interrupted", "succeeded"]
    assert all(run.balanced for run in found.runs)


def test_one_source_or_one_run_is_counted_alone(spine):
    ingest_one_of_each(spine)
    assert [run.run_id for run in account(spine, source="trades").runs] == [3]
    assert account(spine, source="trades").runs[0].balanced
    assert account(spine, run_id=2).runs[0].counted == Counters(5, 1, 1, 1, 1, 1)
    assert account(spine, run_id=2).sources == ()


@pytest.mark.parametrize(
    ("statement", "wrong_run"),
    [
        ("DELETE FROM market_data WHERE run_id = 1 AND symbol_id = 3", 1),
        ("DELETE FROM market_revisions", 2),
        ("UPDATE market_data SET run_id = 1 WHERE run_id = 2 AND symbol_id = 4", 2),
        ("DELETE FROM dead_letters WHERE run_id = 2", 2),
        ("DELETE FROM trade_data", 3),
        ("UPDATE runs SET unchanged = unchanged + 1 WHERE run_id = 2", 2),
        ("UPDATE runs SET inserted = 2, unchanged = 0 WHERE run_id = 2", 2),
        ("UPDATE runs SET rejected = 0, rows_read = 1 WHERE run_id = 3", 3),
    ],
)
def test_touched_table_shows(spine, statement, wrong_run):
    ingest_one_of_each(spine)
    tamper(spine, statement)
    assert wrong_run in [run.run_id for run in account(spine).runs if not run.balanced]


@pytest.mark.parametrize("counter", ["rows_stored", "open_letters"])
def test_touched_counter_of_a_source_shows(spine, counter):
    ingest_one_of_each(spine)
    tamper(spine, f"UPDATE sources SET {counter} = {counter} + 1 WHERE name = 'trades'")
    assert [one.source for one in account(spine).sources if not one.balanced] == ["trades"]
