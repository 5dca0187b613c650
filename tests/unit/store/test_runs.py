"""A run is closed once, its counters add up, and one that died is taken back whole."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataspine.pipeline.ingest import IngestOptions, recover
from dataspine.schemas.run import RunCounts, RunStart, RunState
from dataspine.store import runs
from dataspine.store.sqlite import sqlite
from tests.builders import NOW_US, ingest_quotes, ingest_trades, make_spine, quote, trade
from tests.simulation.stored import assert_sound, finished_runs, stored_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.pipeline.ingest import Progress
    from dataspine.pipeline.spine import Spine

COUNTS = RunCounts(6, inserted=1, unchanged=1, corrected=1, rejected=2, duplicate=1, reasons={"TYPE": 2})
BEGIN = RunStart(1, 1, "ingest", "hash", "0.1.0", NOW_US, "host:1")


@pytest.fixture
def spine(tmp_path: Path) -> Iterator[Spine]:
    """A workspace with one stored quote: source 1, payload 1, run 1."""
    spine = make_spine(tmp_path)
    with spine.workspace:
        ingest_quotes(spine, [quote()])
        yield spine


def test_a_run_is_closed_with_its_account(spine: Spine) -> None:
    database = spine.workspace.database
    with database.transaction() as tx:
        run_id = runs.start(tx, BEGIN)
        assert runs.running(tx, 1) == [run_id]
        runs.finish(tx, run_id, RunState.SUCCEEDED, COUNTS, digest="d", batch_seq=7, now_us=NOW_US + 1)
        assert runs.running(tx, 1) == []
    row = database.one(
        "SELECT state, rows_read, inserted, unchanged, corrected, rejected, duplicate, digest, batch_seq,"
        " finished_at_us, reasons_json FROM runs WHERE run_id = ?",
        (run_id,),
    )
    assert row == ("succeeded", 6, 1, 1, 1, 2, 1, "d", 7, NOW_US + 1, json.dumps({"TYPE": 2}))


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.REJECTED])
@pytest.mark.parametrize("name", ["rows_read", "inserted", "unchanged", "corrected", "rejected", "duplicate"])
def test_an_account_that_is_one_off_is_refused(spine: Spine, state: RunState, name: str) -> None:
    wrong = replace(COUNTS, **{name: getattr(COUNTS, name) + 1})
    with pytest.raises(sqlite.IntegrityError, match="CHECK"), spine.workspace.database.transaction() as tx:
        runs.finish(tx, runs.start(tx, BEGIN), state, wrong, digest=None, batch_seq=1, now_us=NOW_US)
    assert spine.workspace.database.rows("SELECT run_id FROM runs") == [(1,)]


def test_a_number_is_never_given_twice(spine: Spine) -> None:
    """A run that was rolled back leaves its number free, one that was taken back does not."""
    with spine.workspace.database.transaction() as tx:
        first = runs.start(tx, BEGIN)
        runs.take_back(tx, first, now_us=NOW_US)
    with spine.workspace.database.transaction() as tx:
        assert runs.start(tx, BEGIN) == first + 1


class _Stop(Exception):
    pass


def _interrupt(spine: Spine, ingest: object, records: list[dict[str, str]]) -> None:
    """Ingest in chunks of two and stop after the second."""

    def stop(progress: Progress) -> None:
        if progress.rows_read >= 4:
            raise _Stop

    with pytest.raises(_Stop):
        ingest(spine, records, object_name="long", options=IngestOptions(chunk_records=2, on_progress=stop))


@pytest.mark.parametrize("kind", ["market", "trade"])
def test_a_run_that_died_is_taken_back(tmp_path: Path, kind: str) -> None:
    ingest, make = (ingest_quotes, quote) if kind == "market" else (ingest_trades, trade)
    source = "quotes" if kind == "market" else "trades"
    names = [f"K{number}" for number in range(20)]
    with (spine := make_spine(tmp_path)).workspace as workspace:
        database = workspace.database
        ingest(spine, [make(name) for name in names[:8]], object_name="before")
        before, known = stored_of(database, source, kind=kind), finished_runs(database, source)
        _interrupt(spine, ingest, [make(name, price="-1" if name == "K1" else "2") for name in names])
        assert database.rows("SELECT state FROM runs") == [("succeeded",), ("running",)]
        assert database.one("SELECT count(*) FROM dead_letters") == (1,)
        assert database.rows(f"SELECT DISTINCT price FROM {kind}_data_view") == [("187.25",)], "hidden"
        assert recover(spine, source) == [2]
        assert stored_of(database, source, kind=kind) == before
        assert finished_runs(database, source) == known
        assert database.rows("SELECT state, finished_at_us FROM runs WHERE run_id = 2") == [
            ("interrupted", spine.clock.now_us())
        ]
        events = database.rows(
            "SELECT event_type, entity_id FROM audit_events ORDER BY sequence DESC LIMIT 1"
        )
        assert events == [("run_interrupted", "2")]
        assert recover(spine, source) == []
        summary = ingest(spine, [make(name, price="2") for name in names], object_name="long again")
        assert (summary.counts.inserted, summary.counts.corrected) == (12, 8)
        spine.anchor()
        assert_sound(database, workspace.home)
