"""Tampering with a real database file is found; what only anchors can see, anchors see."""

from __future__ import annotations

import pytest

from dataspine.audit import verify
from dataspine.audit.anchors import Anchor
from dataspine.audit.chain import GENESIS, next_event
from dataspine.audit.verify import verify_log
from dataspine.schemas.audit_event import Actor, ChainHead, Channel, EventType, NewEvent
from dataspine.store import audit_events

COLUMNS = (
    "sequence", "at_us", "actor", "channel", "event_type", "entity_type", "entity_id",
    "old_state", "new_state", "metadata_json", "prev_hash", "hash",
)  # fmt: skip


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 7, so that every test crosses their edges."""
    monkeypatch.setattr(verify, "_PAGE_EVENTS", 7)


def anchor_of(log, sequence: int | None = None) -> Anchor:
    head = audit_events.head_at(log.connection, sequence) if sequence else log.head()
    assert head is not None
    return Anchor(head.sequence, head.hash, 0)


def test_untouched_log_verifies(log) -> None:
    log.record(20)
    report = verify_log(log.connection, [anchor_of(log, 5), anchor_of(log, 14), anchor_of(log)])
    assert (report.ok, report.events, report.head) == (True, 20, log.head())
    assert (report.first_bad, report.what) == (None, None)
    assert (report.anchors_checked, report.anchored_up_to) == (3, 20)


def test_empty_log_verifies(log) -> None:
    assert verify_log(log.connection, []).head == GENESIS


@pytest.mark.parametrize("sequence", [1, 7, 8, 20])
@pytest.mark.parametrize("column", COLUMNS)
def test_edit_of_any_column_is_found(log, column: str, sequence: int) -> None:
    log.record(20)
    value = 99 if column in {"sequence", "at_us"} else "x"
    log.tamper(f"UPDATE audit_events SET {column} = ? WHERE sequence = ?", value, sequence)
    report = verify_log(log.connection, [])
    assert not report.ok
    assert report.first_bad == sequence


@pytest.mark.parametrize("column", [name for name in COLUMNS if name not in {"sequence", "at_us"}])
def test_bytes_that_are_no_text_are_found(log, column: str) -> None:
    log.record(9)
    damaged = f"CAST(x'80' || CAST(coalesce({column}, '') AS BLOB) AS TEXT)"
    log.tamper(f"UPDATE audit_events SET {column} = {damaged} WHERE sequence = 8")
    report = verify_log(log.connection, [])
    assert (report.ok, report.first_bad) == (False, 8)


@pytest.mark.parametrize("sequence", [1, 7, 8, 13])
def test_deletion_is_found(log, sequence: int) -> None:
    log.record(14)
    log.tamper("DELETE FROM audit_events WHERE sequence = ?", sequence)
    report = verify_log(log.connection, [])
    assert (report.ok, report.first_bad) == (False, sequence)


@pytest.mark.parametrize("sequence", [0, -5, 15, 2**62])
def test_forged_event_at_either_end_is_found(log, sequence: int) -> None:
    log.record(14)
    log.tamper(
        "INSERT INTO audit_events SELECT ?, at_us, actor, channel, event_type, entity_type, entity_id, old_state,"
        " new_state, metadata_json, prev_hash, hash FROM audit_events WHERE sequence = 14",
        sequence,
    )
    assert not verify_log(log.connection, []).ok


def test_swap_is_found(log) -> None:
    log.record(9)
    log.tamper("UPDATE audit_events SET sequence = -1 WHERE sequence = 3")
    log.tamper("UPDATE audit_events SET sequence = 3 WHERE sequence = 5")
    log.tamper("UPDATE audit_events SET sequence = 5 WHERE sequence = -1")
    assert verify_log(log.connection, []).first_bad == 3


@pytest.mark.parametrize("cut", [1, 10, 20])
def test_cut_tail_is_found_by_an_anchor_only(log, cut: int) -> None:
    log.record(20)
    anchor = anchor_of(log)
    log.tamper("DELETE FROM audit_events WHERE sequence > ?", 20 - cut)
    assert verify_log(log.connection, []).ok
    report = verify_log(log.connection, [anchor])
    assert (report.ok, report.first_bad, report.events) == (False, 21 - cut, 20 - cut)
    assert "truncated or rolled back" in report.what


def test_cut_log_that_went_on_is_found(log) -> None:
    log.record(20)
    anchors = [anchor_of(log, 8), anchor_of(log)]
    log.tamper("DELETE FROM audit_events WHERE sequence > 10")
    log.record(30, actor="mallory")
    assert verify_log(log.connection, []).ok
    report = verify_log(log.connection, anchors)
    assert (report.ok, report.first_bad, report.anchors_checked) == (False, 20, 1)
    assert (report.head.sequence, report.events) == (19, 19)
    assert "rewritten" in report.what


def test_history_rewritten_with_right_hashes_is_found(log) -> None:
    """Someone who can compute the hashes still cannot change a head that was noted."""
    log.record(1)
    anchor = anchor_of(log)
    forged = next_event(
        GENESIS, NewEvent(EventType.RUN_REJECTED, "run", "1"), actor=Actor("x", Channel.CLI), at_us=0
    )
    log.tamper("DELETE FROM audit_events")
    audit_events.insert(log.connection, [forged])
    assert verify_log(log.connection, []).ok
    report = verify_log(log.connection, [anchor])
    assert (report.ok, report.first_bad, report.head) == (False, 1, GENESIS)


def test_both_of_two_anchors_of_one_event_are_held(log) -> None:
    log.record(3)
    false_anchor = Anchor(3, "f" * 64, 0)
    assert not verify_log(log.connection, [anchor_of(log), false_anchor]).ok
    assert not verify_log(log.connection, [false_anchor, anchor_of(log)]).ok


def test_break_after_a_good_anchor_keeps_the_anchor(log) -> None:
    log.record(20)
    anchor = anchor_of(log, 9)
    log.tamper("UPDATE audit_events SET actor = 'x' WHERE sequence = 12")
    report = verify_log(log.connection, [anchor])
    assert (report.first_bad, report.anchored_up_to, report.events) == (12, 9, 11)


@pytest.mark.parametrize("since", [1, 2, 7, 8, 20])
def test_since_reads_only_what_follows(log, since: int) -> None:
    log.record(20)
    anchor = anchor_of(log, since)
    report = verify_log(log.connection, [], since=anchor)
    assert (report.ok, report.events, report.head.sequence) == (True, 21 - since, 20)


def test_since_does_not_look_before_and_checks_the_anchored_event(log) -> None:
    log.record(20)
    anchor = anchor_of(log, 10)
    log.tamper("UPDATE audit_events SET actor = 'x' WHERE sequence = 3")
    assert verify_log(log.connection, [], since=anchor).ok
    log.tamper("UPDATE audit_events SET actor = 'x' WHERE sequence = 10")
    assert verify_log(log.connection, [], since=anchor).first_bad == 10


@pytest.mark.parametrize("since", [Anchor(5, "f" * 64, 0), Anchor(50, "f" * 64, 0)])
def test_since_an_unknown_head_is_a_finding(log, since: Anchor) -> None:
    log.record(20)
    assert not verify_log(log.connection, [], since=since).ok


def test_since_a_deleted_event_is_a_finding(log) -> None:
    log.record(20)
    anchor = anchor_of(log, 10)
    log.tamper("DELETE FROM audit_events WHERE sequence = 10")
    assert verify_log(log.connection, [], since=anchor).first_bad == 10


def test_noted_hash_must_be_in_the_log(log) -> None:
    log.record(20)
    noted = log.head()
    assert verify_log(log.connection, [], external_hash=noted.hash.upper() + "\n").ok
    log.tamper("DELETE FROM audit_events WHERE sequence > 15")
    report = verify_log(log.connection, [], external_hash=noted.hash)
    assert not report.ok
    assert noted.hash in report.what


@pytest.mark.parametrize("noted", ["", "abc", "%"])
def test_noted_text_that_is_no_hash_is_a_finding(log, noted: str) -> None:
    log.record(2)
    assert not verify_log(log.connection, [], external_hash=noted).ok


def test_chain_head_names_the_last_sound_event(log) -> None:
    log.record(10)
    sound = audit_events.head_at(log.connection, 4)
    log.tamper("UPDATE audit_events SET at_us = 0 WHERE sequence = 5")
    assert verify_log(log.connection, []).head == sound
    assert isinstance(sound, ChainHead)
