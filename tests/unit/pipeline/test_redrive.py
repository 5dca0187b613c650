"""Trying letters again: rehearsed first, judged together, stored once, and never over somebody else's change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dataspine.errors import BusyError
from dataspine.pipeline.redrive import redrive, rehearse
from dataspine.service.accounts import account_for
from dataspine.service.letters import MAX_EDIT_BYTES, Selection, discard, edit, selected
from dataspine.store import dead_letters
from tests.builders import (
    TRADE_COLUMNS,
    ingest_quotes,
    ingest_trades,
    make_desk,
    make_spine,
    quote,
    quote_profile,
    trade,
    trade_profile,
)
from tests.simulation.stored import assert_sound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.dead_letter import DeadLetter
    from dataspine.schemas.source import SourceProfile


@pytest.fixture
def spine(tmp_path: Path) -> Iterator[Spine]:
    """An empty workspace."""
    spine = make_spine(tmp_path)
    with spine.workspace:
        yield spine


def _better_trades() -> SourceProfile:
    """Sells come as `S`, which the first mapping did not know."""
    fields = {
        name: mapping.model_dump(exclude_defaults=True) for name, mapping in trade_profile().fields.items()
    }
    return trade_profile(fields={**fields, "side": {"column": "side", "values": {"S": "SELL", "BUY": "BUY"}}})


def _letters(spine: Spine) -> list[DeadLetter]:
    return dead_letters.page(spine.workspace.database.connection)


def _content(spine: Spine) -> list[Any]:
    """Every table, and every file of the archive."""
    database, archive = spine.workspace.database, spine.workspace.archive.directory
    names = database.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    tables = [database.rows(f"SELECT * FROM {name} ORDER BY 1, 2") for (name,) in names]
    return [*tables, sorted(archive.rglob("*"))]


def _fourteen(spine: Spine) -> None:
    """14 letters: 12 with the unknown word, of them one with an empty venue besides, and 2 with a bad price."""
    known = [trade(f"G{number}") for number in range(20)]
    unknown = [trade(f"S{number}", side="S") for number in range(12)]
    bad = [trade("P1", price="-1"), trade("V1", side="S", venue="")]
    ingest_trades(spine, [*known, *unknown, *bad])


def test_twelve_of_fourteen_pass(spine: Spine) -> None:
    _fourteen(spine)
    before = _content(spine)
    expected = [
        (verdict.letter_id, verdict.passes) for verdict in rehearse(spine, _better_trades(), _letters(spine))
    ]
    assert [passes for _, passes in expected] == [True] * 12 + [False] * 2
    assert _content(spine) == before, "a rehearsal writes nothing"
    verdicts = redrive(spine, _better_trades(), _letters(spine))
    assert [(verdict.letter_id, verdict.passes) for verdict in verdicts] == expected
    assert [letter.state for letter in _letters(spine)] == ["resolved"] * 12 + ["open"] * 2
    assert [letter.attempts for letter in _letters(spine)] == [2] * 14
    assert [letter.code for letter in _letters(spine)[12:]] == ["PRICE_VALIDITY", "REQUIRED"]
    rows = spine.workspace.database.rows("SELECT trade_id, position FROM trade_data_view WHERE side = 'SELL'")
    assert sorted(rows) == sorted((f"S{number}", 21 + number) for number in range(12))
    (run,) = spine.workspace.database.rows(
        "SELECT kind, rows_read, inserted, rejected FROM runs WHERE run_id = ?", (verdicts[0].run_id,)
    )
    assert run == ("redrive", 14, 12, 2)
    assert verdicts[0].key == "C1 S0"
    assert _letters(spine)[0].resolved_key == "C1 S0"
    assert account_for(make_desk(spine), deep=True).balanced
    spine.anchor()
    assert_sound(spine.workspace.database, spine.workspace.home)


def test_a_rehearsal_knows_what_is_stored(spine: Spine) -> None:
    """What it promises is what the retry does, also where the refusal comes from another payload."""
    strict = quote_profile(contract={"earliest": "2026-02-01"})
    ingest_quotes(spine, [quote(price="1")], profile=strict, object_name="day")
    ingest_quotes(spine, [quote(price="2")], object_name="late")
    (promised,) = rehearse(spine, quote_profile(), _letters(spine))
    (done,) = redrive(spine, quote_profile(), _letters(spine))
    assert (promised.passes, promised.reasons) == (done.passes, done.reasons)
    assert [reason.code for reason in done.reasons] == ["CONFLICT"]
    assert [letter.code for letter in _letters(spine)] == ["CONFLICT"]


def test_a_source_that_refuses_restatements_refuses_them_here(spine: Spine) -> None:
    careful = {"conflict": "dead"}
    ingest_quotes(spine, [quote(price="1")], object_name="day")
    ingest_quotes(spine, [quote(price="2")], object_name="late", profile=quote_profile(contract=careful))
    assert [letter.code for letter in _letters(spine)] == ["CONFLICT"]
    (verdict,) = redrive(spine, quote_profile(contract=careful), _letters(spine))
    assert not verdict.passes
    (verdict,) = redrive(spine, quote_profile(), _letters(spine))
    assert verdict.passes, "the profile takes restatements now"


def test_two_records_of_one_key_are_settled_among_each_other(spine: Spine) -> None:
    ingest_trades(spine, [trade("T1", side="S"), trade("T1", side="S", price="2"), trade("T2", side="S")])
    verdicts = redrive(spine, _better_trades(), _letters(spine))
    assert [verdict.passes for verdict in verdicts] == [False, False, True]
    assert [reason.code for reason in verdicts[0].reasons] == ["CONFLICT"]


def test_identical_records_become_one_row(spine: Spine) -> None:
    ingest_trades(spine, [trade("T1", side="S"), trade("T1", side="S")])
    verdicts = redrive(spine, _better_trades(), _letters(spine))
    assert [verdict.passes for verdict in verdicts] == [True, True]
    assert spine.workspace.database.rows("SELECT trade_id, position FROM trade_data_view") == [("T1", 1)]
    assert spine.workspace.database.rows("SELECT inserted, duplicate FROM runs WHERE run_id = 2") == [(1, 1)]


def test_an_operator_picks_one_of_two_that_contradict_each_other(spine: Spine) -> None:
    ingest_quotes(spine, [quote(price="1"), quote(price="2")])
    first, second = _letters(spine)
    assert [verdict.passes for verdict in redrive(spine, quote_profile(), [first, second])] == [False, False]
    first, second = _letters(spine)
    assert [verdict.passes for verdict in redrive(spine, quote_profile(), [second])] == [True]
    assert [verdict.passes for verdict in redrive(spine, quote_profile(), [first])] == [False]
    assert spine.workspace.database.rows("SELECT price FROM market_data_view") == [("2",)]


def test_a_letter_that_changed_meanwhile_stops_its_payload(spine: Spine) -> None:
    _fourteen(spine)
    seen = _letters(spine)
    discard(make_desk(spine), seen[5:6], reason="vendor withdrew it")
    before = _content(spine)
    with pytest.raises(BusyError, match="somebody else changed this letter first.*dead letter 6"):
        redrive(spine, _better_trades(), seen)
    assert _content(spine) == before


@pytest.mark.parametrize("act", [redrive, rehearse])
def test_only_open_letters_are_tried(spine: Spine, act: Any) -> None:
    _fourteen(spine)
    redrive(spine, _better_trades(), _letters(spine)[:1])
    with pytest.raises(BusyError, match="only an open letter can be tried, got resolved"):
        act(spine, _better_trades(), _letters(spine)[:1])


def test_a_record_that_is_skipped_now_says_so(spine: Spine) -> None:
    ingest_quotes(spine, [quote(price="-1", kind="cancel"), quote("BBB")])
    skipping = quote_profile(skip_when={"kind": ["cancel"]})
    (verdict,) = redrive(spine, skipping, _letters(spine))
    assert not verdict.passes
    assert "the profile skips such a record (kind=cancel); discard the letter" in verdict.reasons[0].message


def test_an_edit_keeps_both_texts(spine: Spine) -> None:
    ingest_trades(spine, [trade("T1", side="HOLD"), trade("T2")])
    (letter,) = _letters(spine)
    fixed = letter.raw.replace(b"HOLD", b"SELL")
    desk = make_desk(spine)
    (desk.home / "dataspine.toml").write_text(_settings(), encoding="ascii")
    verdict = edit(desk, letter, fixed)
    assert (verdict.passes, verdict.key) == (True, "C1 T1")
    assert spine.workspace.database.one("SELECT count(*) FROM trade_data_view") == (1,)
    (verdict,) = redrive(spine, trade_profile(), selected(desk, Selection(letter_ids=(letter.letter_id,))))
    assert verdict.passes
    (after,) = _letters(spine)
    assert (after.raw, after.edited, after.state) == (letter.raw, fixed, "resolved")
    (kept,) = spine.workspace.database.rows("SELECT sha256, object_name FROM payloads WHERE origin = 'edit'")
    assert kept[1] == f"edit of letter {letter.letter_id}"
    with spine.workspace.archive.open(kept[0]) as content:
        assert content.read() == fixed
    events = spine.workspace.database.rows(
        "SELECT event_type FROM audit_events WHERE entity_type = 'dead_letter'"
    )
    assert events == [("letter_edited",), ("letter_resolved",)]
    again = ingest_trades(spine, [trade("T1", side="HOLD"), trade("T2")])
    assert (again.counts.inserted, again.counts.corrected, again.counts.rejected) == (0, 0, 1)
    assert account_for(desk, deep=True).balanced


@pytest.mark.parametrize(
    ("replacement", "code"),
    [
        (b"", "RAGGED_ROW"),
        (
            b"T1,C1,AAPL,BUY,1,1,2026-01-09T13:00:00Z,X\nT2,C1,AAPL,BUY,1,1,2026-01-09T13:00:00Z,X",
            "CSV_QUOTE",
        ),
        (b"T1,C1,AAPL,BUY,1", "RAGGED_ROW"),
        (b"\xff\xfe,C1,AAPL,BUY,1,1,2026-01-09T13:00:00Z,X,,", "ENCODING"),
        (b"x" * MAX_EDIT_BYTES, "SIZE"),
    ],
    ids=["nothing", "two records", "cut off", "no text", "a mebibyte"],
)
def test_an_edit_that_is_no_record_is_refused_again(spine: Spine, replacement: bytes, code: str) -> None:
    ingest_trades(spine, [trade("T1", side="HOLD"), trade("T2")])
    desk = make_desk(spine)
    (desk.home / "dataspine.toml").write_text(_settings(), encoding="ascii")
    verdict = edit(desk, _letters(spine)[0], replacement)
    assert not verdict.passes
    assert verdict.reasons[0].code == code
    (verdict,) = redrive(spine, trade_profile(), _letters(spine))
    assert (verdict.passes, verdict.reasons[0].code) == (False, code)


def _settings() -> str:
    fields = "\n".join(f'{name} = {{ column = "{name}" }}' for name in TRADE_COLUMNS if name != "timestamp")
    time = 'timestamp = { column = "timestamp", format = "iso" }'
    return f'[sources.trades]\nkind = "trade"\nformat = "csv"\n[sources.trades.fields]\n{fields}\n{time}\n'
