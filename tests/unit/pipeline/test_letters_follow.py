"""Letters follow their records: closed when a better mapping reads them, never doubled, never reopened by accident."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dataspine.errors import ConfigError
from dataspine.service.letters import Selection, discard, selected
from dataspine.store import dead_letters
from tests.builders import (
    ingest_bytes,
    ingest_quotes,
    make_desk,
    make_spine,
    quote,
    quote_profile,
    trade_profile,
)
from tests.simulation.stored import finished_runs, stored_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.source import SourceProfile


@pytest.fixture
def spine(tmp_path: Path) -> Iterator[Spine]:
    """An empty workspace."""
    spine = make_spine(tmp_path)
    with spine.workspace:
        yield spine


def _unsigned() -> SourceProfile:
    """The same source read with the sign dropped, under which `-1` is good."""
    fields = {
        name: mapping.model_dump(exclude_defaults=True) for name, mapping in quote_profile().fields.items()
    }
    return quote_profile(fields={**fields, "price": {"column": "price", "abs": True}})


RECORDS = [quote("AAA"), quote("BBB", price="-1"), quote("CCC", price="-2"), quote("DDD", price="x")]


def _states(spine: Spine) -> list[tuple[Any, ...]]:
    letters = dead_letters.page(spine.workspace.database.connection)
    return [(letter.position, letter.state, letter.attempts, letter.resolved_by_run) for letter in letters]


def test_the_same_bytes_again_write_nothing(spine: Spine) -> None:
    ingest_quotes(spine, RECORDS)
    before = stored_of(spine.workspace.database, "quotes")
    summary = ingest_quotes(spine, RECORDS)
    assert (summary.counts.inserted, summary.counts.corrected, summary.counts.rejected) == (0, 0, 3)
    assert stored_of(spine.workspace.database, "quotes") == before


def test_a_better_mapping_closes_the_letters_it_can_read(spine: Spine) -> None:
    ingest_quotes(spine, RECORDS)
    summary = ingest_quotes(spine, RECORDS, profile=_unsigned())
    assert (summary.counts.inserted, summary.counts.unchanged, summary.counts.rejected) == (2, 1, 1)
    run = summary.run_id
    assert _states(spine) == [(2, "resolved", 2, run), (3, "resolved", 2, run), (4, "open", 1, None)]
    events = spine.workspace.database.rows(
        "SELECT entity_id, old_state, new_state, json_extract(metadata_json, '$.run_id') FROM audit_events"
        " WHERE event_type = 'letter_resolved'"
    )
    assert events == [("1", "open", "resolved", run), ("2", "open", "resolved", run)]


def test_a_discarded_letter_stays_discarded(spine: Spine) -> None:
    ingest_quotes(spine, RECORDS)
    desk = make_desk(spine)
    discard(desk, selected(desk, Selection(letter_ids=(1,))), reason="not wanted")
    ingest_quotes(spine, RECORDS, profile=_unsigned())
    assert [state for _, state, *_ in _states(spine)] == ["discarded", "resolved", "open"]
    resolved = spine.workspace.database.rows(
        "SELECT entity_id FROM audit_events WHERE event_type = 'letter_resolved'"
    )
    assert resolved == [("2",)]


def test_a_worse_mapping_does_not_take_a_stored_record_back(spine: Spine) -> None:
    ingest_quotes(spine, RECORDS, profile=_unsigned())
    ingest_quotes(spine, RECORDS)
    assert spine.workspace.database.one("SELECT count(*) FROM market_data_view") == (3,)
    assert [run[0] for run in finished_runs(spine.workspace.database, "quotes")] == ["succeeded", "succeeded"]


def test_a_payload_that_cannot_be_read_is_one_letter_until_it_can(spine: Spine) -> None:
    lines = b"\n".join(json.dumps(record).encode() for record in RECORDS)
    for _ in range(2):
        summary = ingest_bytes(spine, quote_profile(), lines, object_name="lines")
        assert (summary.counts.rows_read, summary.counts.rejected) == (1, 1)
    assert _states(spine) == [(0, "open", 1, None)]
    better = quote_profile(format="ndjson")
    summary = ingest_bytes(spine, better, lines, object_name="lines")
    assert (summary.counts.inserted, summary.counts.rejected) == (1, 3)
    assert _states(spine)[0] == (0, "resolved", 2, summary.run_id)


def test_a_source_keeps_its_kind(spine: Spine) -> None:
    """Under one name, a crash would take back the rows of the other table."""
    ingest_quotes(spine, RECORDS)
    with pytest.raises(ConfigError, match="a source keeps its kind, got trade, its records are market"):
        ingest_bytes(spine, trade_profile("quotes"), b"trade_id\n", object_name="trades.csv")
    assert spine.workspace.database.rows("SELECT run_id FROM runs WHERE state = 'running'") == []
