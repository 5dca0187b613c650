"""The dead-letter queue as operators use it: paged, grouped, edited, discarded with a reason, and by one of two."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataspine.errors import BusyError, RequestError
from dataspine.service import letters
from dataspine.service.letters import MAX_EDIT_BYTES, Selection
from tests.builders import ingest_bytes, ingest_quotes, make_desk, make_spine, quote, quote_profile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.pipeline.spine import Spine
    from dataspine.service.desk import Desk

ALL = Selection()


@pytest.fixture
def spine(tmp_path: Path) -> Iterator[Spine]:
    """A workspace with 3 letters of `quotes` and 2 of `other`."""
    spine = make_spine(tmp_path)
    with spine.workspace:
        bad = [quote("AAA", price="-1"), quote("BBB", price="-1", volume=-5), quote("CCC", price="x")]
        ingest_quotes(spine, bad)
        ingest_quotes(spine, bad[:2], profile=quote_profile("other"))
        yield spine


@pytest.fixture
def desk(spine: Spine) -> Desk:
    """The operator's desk; no source is configured, the files were ingested by hand."""
    return make_desk(spine)


def _ids(found: list[letters.DeadLetter]) -> list[int]:
    return [letter.letter_id for letter in found]


def _audit(spine: Spine) -> list[tuple[str, ...]]:
    return spine.workspace.database.rows(
        "SELECT event_type, entity_id, old_state, new_state, json_extract(metadata_json, '$.reason')"
        " FROM audit_events WHERE entity_type = 'dead_letter' ORDER BY sequence"
    )


def test_pages_follow_each_other(desk: Desk) -> None:
    found, following = letters.page(desk, ALL, limit=2)
    assert (_ids(found), following) == ([1, 2], 2)
    found, following = letters.page(desk, ALL, after=2, limit=3)
    assert (_ids(found), following) == ([3, 4, 5], None)
    assert letters.page(desk, ALL, after=5) == ([], None)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(source="other"), [4, 5]),
        (Selection(reason="NUMBER_FORMAT"), [3]),
        (Selection(reason="PRICE_VALIDITY", source="quotes"), [1, 2]),
        (Selection(fingerprint="PRICE_VALIDITY price; VOLUME_VALIDITY volume"), [2, 5]),
        (Selection(state="discarded"), []),
        (Selection(letter_ids=(5, 1, 5)), [5, 1]),
    ],
)
def test_a_selection_takes_what_it_names(desk: Desk, selection: Selection, expected: list[int]) -> None:
    assert _ids(letters.selected(desk, selection)) == expected


def test_a_selection_spans_pages(spine: Spine, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "PAGE_LETTERS", 2)
    assert _ids(letters.selected(desk, ALL)) == [1, 2, 3, 4, 5]


def test_groups_put_like_with_like(desk: Desk) -> None:
    found = [(group.source, group.fingerprint, group.letters) for group in letters.groups(desk)]
    assert found == [
        ("quotes", "PRICE_VALIDITY price", 1),
        ("quotes", "PRICE_VALIDITY price; VOLUME_VALIDITY volume", 1),
        ("quotes", "NUMBER_FORMAT price", 1),
        ("other", "PRICE_VALIDITY price", 1),
        ("other", "PRICE_VALIDITY price; VOLUME_VALIDITY volume", 1),
    ]
    assert len(letters.groups(desk, source="other")) == 2


def test_a_number_without_letter_is_named(desk: Desk) -> None:
    with pytest.raises(RequestError, match="there is no such dead letter, got 99"):
        letters.show(desk, 99)
    with pytest.raises(RequestError, match="got 99"):
        letters.selected(desk, Selection(letter_ids=(1, 99)))


def test_discard_and_restore_are_marks_with_a_reason(spine: Spine, desk: Desk) -> None:
    raw = letters.show(desk, 1).raw
    assert (
        letters.discard(desk, letters.selected(desk, Selection(letter_ids=(1, 2))), reason="test feed") == 2
    )
    discarded = letters.show(desk, 1)
    assert (discarded.state, discarded.note, discarded.raw) == ("discarded", "test feed", raw)
    assert _ids(letters.selected(desk, ALL)) == [3, 4, 5]
    assert letters.restore(desk, [discarded], reason="it was not") == 1
    assert letters.show(desk, 1).state == "open"
    assert _audit(spine) == [
        ("letter_discarded", "1", "open", "discarded", "test feed"),
        ("letter_discarded", "2", "open", "discarded", "test feed"),
        ("letter_restored", "1", "discarded", "open", "it was not"),
    ]
    counted = spine.workspace.database.rows("SELECT name, open_letters FROM sources ORDER BY source_id")
    assert counted == [("quotes", 2), ("other", 2)]


@pytest.mark.parametrize("reason", ["", " ", "\n\t"])
def test_a_reason_is_required(spine: Spine, desk: Desk, reason: str) -> None:
    with pytest.raises(RequestError, match="a reason is required"):
        letters.discard(desk, [letters.show(desk, 1)], reason=reason)
    assert _audit(spine) == []


def test_many_are_discarded_all_or_none(spine: Spine, desk: Desk) -> None:
    seen = letters.selected(desk, ALL)
    letters.discard(desk, seen[3:4], reason="one of them, meanwhile")
    with pytest.raises(BusyError, match="somebody else changed this letter first.*dead letter 4"):
        letters.discard(desk, seen, reason="all of them")
    assert [letters.show(desk, number).state for number in range(1, 6)] == ["open"] * 3 + [
        "discarded",
        "open",
    ]
    assert len(_audit(spine)) == 1


@pytest.mark.parametrize(("act", "number"), [(letters.discard, 1), (letters.restore, 2)])
def test_a_mark_needs_the_right_state(desk: Desk, act: object, number: int) -> None:
    letters.discard(desk, [letters.show(desk, 1)], reason="gone")
    with pytest.raises(BusyError, match="the letter must be"):
        act(desk, [letters.show(desk, number)], reason="again")


def test_a_retry_across_sources_uses_each_source_as_it_was_used_last(spine: Spine, desk: Desk) -> None:
    """Neither source is configured: their files were named on the command line."""
    verdicts = letters.retry(desk, letters.selected(desk, ALL))
    assert [(verdict.letter_id, verdict.passes) for verdict in verdicts] == [(n, False) for n in range(1, 6)]
    kinds = spine.workspace.database.rows(
        "SELECT s.name, r.kind FROM runs r JOIN sources s USING (source_id)"
    )
    assert kinds == [("quotes", "ingest"), ("other", "ingest"), ("quotes", "redrive"), ("other", "redrive")]


def test_an_edit_is_tried_at_the_next_retry(spine: Spine, desk: Desk) -> None:
    letter = letters.show(desk, 1)
    verdict = letters.edit(desk, letter, letter.raw.replace(b"-1", b"1.50"))
    assert verdict.passes
    assert letters.show(desk, 1).state == "open"
    (done,) = letters.retry(desk, [letters.show(desk, 1)])
    assert done.passes
    assert spine.workspace.database.rows("SELECT symbol, price FROM market_data_view") == [("AAA", "1.5")]
    with pytest.raises(BusyError, match="only an open letter can be edited, got resolved"):
        letters.edit(desk, letters.show(desk, 1), b"{}")


def test_an_edit_over_somebody_elses_is_refused(desk: Desk) -> None:
    seen = letters.show(desk, 1)
    letters.edit(desk, seen, b"{}")
    with pytest.raises(BusyError, match="somebody else changed this letter first"):
        letters.edit(desk, seen, b"[]")
    assert letters.show(desk, 1).edited == b"{}"


def test_a_discarded_letter_is_not_edited(desk: Desk) -> None:
    letters.discard(desk, [letters.show(desk, 1)], reason="gone")
    with pytest.raises(BusyError, match="got discarded"):
        letters.edit(desk, letters.show(desk, 1), b"{}")


def test_an_edit_has_its_limit(desk: Desk) -> None:
    with pytest.raises(RequestError, match="must not exceed 1 MiB, got 1048577 bytes"):
        letters.edit(desk, letters.show(desk, 1), b"x" * (MAX_EDIT_BYTES + 1))
    assert letters.show(desk, 1).edited is None


def test_a_whole_payload_is_not_edited_and_rehearsed_by_reading_it(spine: Spine, desk: Desk) -> None:
    ingest_bytes(spine, quote_profile("broken"), b'[{"symbol"', object_name="cut.json")
    (letter,) = letters.selected(desk, Selection(source="broken"))
    with pytest.raises(RequestError, match="only a record can be edited, got a payload letter"):
        letters.edit(desk, letter, b"[]")
    (promised,) = letters.rehearse(desk, [letter])
    assert (promised.passes, promised.reasons[0].code) == (False, "JSON_SYNTAX")
    (done,) = letters.retry(desk, [letter])
    assert (done.passes, done.reasons[0].code) == (False, "JSON_SYNTAX")
    after = letters.show(desk, letter.letter_id)
    assert (after.state, after.attempts) == ("open", 2)
    with pytest.raises(BusyError, match="somebody else changed this letter first"):
        letters.retry(desk, [letter])


def test_a_letter_of_a_source_that_is_gone_is_named(desk: Desk) -> None:
    nobody = replace(letters.show(desk, 1), source="nobody")
    with pytest.raises(RequestError, match="there is no such source, got nobody"):
        letters.retry(desk, [nobody])
