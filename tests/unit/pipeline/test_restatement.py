"""Which version of a row stands: the one received last, however often older bytes come again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataspine.pipeline.redrive import redrive
from dataspine.store import dead_letters
from tests.builders import ingest_quotes, make_spine, quote, quote_profile
from tests.simulation.stored import stored_of

if TYPE_CHECKING:
    from pathlib import Path

    from dataspine.pipeline.spine import Spine


def _prices(spine: Spine) -> list[str]:
    return [
        row[0] for row in spine.workspace.database.rows("SELECT price FROM market_data_view ORDER BY symbol")
    ]


def test_a_correction_moves_the_old_version_to_the_revisions(tmp_path: Path) -> None:
    with (spine := make_spine(tmp_path)).workspace as workspace:
        ingest_quotes(spine, [quote(price="1")], object_name="day")
        summary = ingest_quotes(spine, [quote(price="2")], object_name="late")
        assert summary.counts.corrected == 1
        assert _prices(spine) == ["2"]
        revisions = workspace.database.rows("SELECT price, run_id, superseded_by FROM market_revisions")
        assert revisions == [("1", 1, 2)]
        change = workspace.database.one(
            "SELECT metadata_json FROM audit_events WHERE event_type = 'record_corrected'"
        )
        assert '"price":{"new":"2","old":"1"}' in change[0]


def test_known_bytes_do_not_undo_a_later_restatement(tmp_path: Path) -> None:
    """Ingesting a folder with a day and its late correction again and again writes nothing."""
    with (spine := make_spine(tmp_path)).workspace as workspace:
        for _ in range(3):
            ingest_quotes(spine, [quote(price="1"), quote("BBB")], object_name="day")
            ingest_quotes(spine, [quote(price="2")], object_name="late")
        stored = stored_of(workspace.database, "quotes")
        assert [row[3] for row in stored.rows] == ["2", "187.25"]
        assert len(stored.revisions) == 1
        again = workspace.database.rows("SELECT rows_read, unchanged FROM runs WHERE run_id > 2")
        assert again == [(2, 2), (1, 1)] * 2


def test_known_bytes_under_a_new_mapping_correct_only_what_they_still_own(tmp_path: Path) -> None:
    with (spine := make_spine(tmp_path)).workspace:
        cents = quote_profile(fields={**_fields(), "price": {"column": "price", "scale": 2}})
        ingest_quotes(spine, [quote(price="100"), quote("BBB", price="100")], object_name="day")
        ingest_quotes(spine, [quote(price="200")], object_name="late")
        summary = ingest_quotes(
            spine, [quote(price="100"), quote("BBB", price="100")], object_name="day", profile=cents
        )
        assert (summary.counts.corrected, summary.counts.unchanged) == (1, 1)
        assert _prices(spine) == ["200", "1"]


def test_a_letter_of_older_bytes_does_not_undo_a_later_restatement(tmp_path: Path) -> None:
    with (spine := make_spine(tmp_path)).workspace as workspace:
        strict = quote_profile(contract={"earliest": "2026-02-01"})
        ingest_quotes(spine, [quote(price="1")], object_name="day", profile=strict)
        ingest_quotes(spine, [quote(price="2")], object_name="late")
        letters = dead_letters.page(workspace.database.connection)
        (verdict,) = redrive(spine, quote_profile(), letters)
        assert [str(reason.code) for reason in verdict.reasons] == ["CONFLICT"]
        assert _prices(spine) == ["2"]


def test_a_letter_does_not_replace_another_record_of_its_own_payload(tmp_path: Path) -> None:
    """Read in one piece, both records are a conflict; retried later, the one that stands stays."""
    with (spine := make_spine(tmp_path)).workspace as workspace:
        ingest_quotes(spine, [quote(price="1"), quote(price="-2")])
        (letter,) = dead_letters.page(workspace.database.connection)
        fixed = quote_profile(fields={**_fields(), "price": {"column": "price", "abs": True}})
        (verdict,) = redrive(spine, fixed, [letter])
        assert [str(reason.code) for reason in verdict.reasons] == ["CONFLICT"]
        assert _prices(spine) == ["1"]


def test_a_letter_of_newer_bytes_is_a_correction(tmp_path: Path) -> None:
    with (spine := make_spine(tmp_path)).workspace as workspace:
        ingest_quotes(spine, [quote(price="1")], object_name="day")
        ingest_quotes(spine, [quote(price="-2")], object_name="late")
        fixed = quote_profile(fields={**_fields(), "price": {"column": "price", "abs": True}})
        (verdict,) = redrive(spine, fixed, dead_letters.page(workspace.database.connection))
        assert verdict.passes
        assert _prices(spine) == ["2"]
        assert workspace.database.rows("SELECT price FROM market_revisions") == [("1",)]


def _fields() -> dict[str, object]:
    return {
        name: mapping.model_dump(exclude_defaults=True) for name, mapping in quote_profile().fields.items()
    }
