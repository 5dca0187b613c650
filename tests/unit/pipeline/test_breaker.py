"""Too many refusals stop a payload: at the limit, a record beside it, and when an operator insists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dataspine.errors import BusyError
from dataspine.pipeline.ingest import IngestOptions
from dataspine.pipeline.redrive import redrive, rehearse
from dataspine.schemas.run import RunState
from dataspine.service.accounts import account_for
from dataspine.store import dead_letters
from tests.builders import ingest_quotes, make_desk, make_spine, quote, quote_profile
from tests.simulation.stored import assert_sound, stored_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.source import SourceProfile

MIN_RECORDS = 10


@pytest.fixture
def spine(tmp_path: Path) -> Iterator[Spine]:
    """An empty workspace."""
    spine = make_spine(tmp_path)
    with spine.workspace:
        yield spine


def _profile(ratio: float = 0.5, **keys: Any) -> SourceProfile:
    limits = {"max_reject_ratio": ratio, "breaker_min_records": MIN_RECORDS}
    return quote_profile(contract=limits, **keys)


def _records(good: int, bad: int) -> list[dict[str, Any]]:
    """Good and bad records in turn, each with a minute of its own."""
    prices = ["1"] * good + ["-1"] * bad
    return [quote(at=f"2026-01-09T12:{number:02}:00Z", price=price) for number, price in enumerate(prices)]


@pytest.mark.parametrize(
    ("good", "bad", "ratio", "state"),
    [
        (5, 5, 0.5, RunState.SUCCEEDED),
        (5, 6, 0.5, RunState.REJECTED),
        (6, 5, 0.5, RunState.SUCCEEDED),
        (0, MIN_RECORDS, 0.5, RunState.REJECTED),
        (0, MIN_RECORDS - 1, 0.5, RunState.SUCCEEDED),
        (4, MIN_RECORDS - 4, 0.5, RunState.REJECTED),
        (0, 30, 1.0, RunState.SUCCEEDED),
        (19, 1, 0.05, RunState.SUCCEEDED),
        (18, 1, 0.05, RunState.REJECTED),
    ],
)
def test_the_limit_is_the_last_share_that_passes(
    spine: Spine, good: int, bad: int, ratio: float, state: RunState
) -> None:
    for chunk_records in (65_536, 3):
        profile = _profile(ratio).model_copy(update={"name": f"chunks_{chunk_records}"})
        options = IngestOptions(chunk_records=chunk_records)
        summary = ingest_quotes(spine, _records(good, bad), profile=profile, options=options)
        assert summary.state == state
        is_published = state == RunState.SUCCEEDED
        rows = spine.workspace.database.one(
            "SELECT count(*) FROM market_data_view WHERE source = ?", (profile.name,)
        )
        assert rows == ((good if is_published else 0),)
        letters = stored_of(spine.workspace.database, profile.name).letters
        assert len(letters) == (bad if is_published else 1)
        assert summary.counts.rejected == (bad if is_published else good + bad)


def test_the_letter_says_how_many_and_why(spine: Spine) -> None:
    records = [*_records(2, 8), quote("bad symbol", price="1"), quote("bad symbol", price="2")]
    summary = ingest_quotes(spine, records, profile=_profile())
    (letter,) = dead_letters.page(spine.workspace.database.connection)
    assert (letter.scope, letter.code, letter.position, letter.records) == ("batch", "REJECT_RATIO", 0, 12)
    (reason,) = letter.reasons
    assert reason.message == (
        "10 of 12 records refused (83.3%, limit 50.0%): PRICE_VALIDITY 8, SYMBOL_FORMAT 2; nothing was published"
    )
    assert summary.digest is None
    assert summary.counts.rows_read == summary.counts.rejected == 12
    assert sum(summary.counts.reasons.values()) == 12


def test_what_was_stored_before_stays_as_it_was(spine: Spine) -> None:
    """The refused payload had corrected a row in an earlier chunk."""
    ingest_quotes(spine, _records(8, 0), profile=_profile(), object_name="before")
    before = stored_of(spine.workspace.database, "quotes")
    corrected = [{**record, "price": "2"} for record in _records(4, 0)]
    summary = ingest_quotes(
        spine,
        [*corrected, *_records(4, 30)[8:]],
        profile=_profile(),
        object_name="after",
        options=IngestOptions(chunk_records=4),
    )
    assert summary.state == RunState.REJECTED
    after = stored_of(spine.workspace.database, "quotes")
    assert (after.rows, after.revisions) == (before.rows, before.revisions)
    assert account_for(make_desk(spine), deep=True).balanced


def test_the_same_bytes_again_add_no_second_letter(spine: Spine) -> None:
    for _ in range(2):
        assert ingest_quotes(spine, _records(2, 18), profile=_profile()).state == RunState.REJECTED
    assert len(dead_letters.page(spine.workspace.database.connection)) == 1


def test_a_better_mapping_publishes_and_closes_the_letter(spine: Spine) -> None:
    ingest_quotes(spine, _records(2, 18), profile=_profile())
    fields = {name: mapping.model_dump(exclude_defaults=True) for name, mapping in _profile().fields.items()}
    better = _profile(fields={**fields, "price": {"column": "price", "abs": True}})
    summary = ingest_quotes(spine, _records(2, 18), profile=better)
    assert (summary.state, summary.counts.inserted) == (RunState.SUCCEEDED, 20)
    (letter,) = dead_letters.page(spine.workspace.database.connection)
    assert (letter.state, letter.resolved_by_run) == ("resolved", summary.run_id)


def test_an_operator_who_insists_gets_the_good_and_a_letter_for_each_bad(spine: Spine) -> None:
    ingest_quotes(spine, _records(2, 18), profile=_profile())
    batch = dead_letters.page(spine.workspace.database.connection)
    assert [verdict.passes for verdict in rehearse(spine, _profile(), batch)] == [True]
    (verdict,) = redrive(spine, _profile(), batch)
    assert verdict.passes
    letters = dead_letters.page(spine.workspace.database.connection)
    assert [(letter.scope, letter.state) for letter in letters] == [
        ("batch", "resolved"),
        *[("record", "open")] * 18,
    ]
    assert letters[0].resolved_by_run == verdict.run_id
    assert spine.workspace.database.one("SELECT count(*) FROM market_data_view") == (2,)
    assert account_for(make_desk(spine), deep=True).balanced
    spine.anchor()
    assert_sound(spine.workspace.database, spine.workspace.home)


def test_of_two_operators_who_insist_one_is_told_that_it_is_done(spine: Spine) -> None:
    ingest_quotes(spine, _records(2, 18), profile=_profile())
    seen = dead_letters.page(spine.workspace.database.connection)
    assert redrive(spine, _profile(), seen)[0].passes
    with pytest.raises(BusyError, match="somebody else changed this letter first"):
        redrive(spine, _profile(), seen)
    assert spine.workspace.database.rows("SELECT count(*) FROM runs") == [(2,)]
