"""Appending to the table, and reading it back in keyset pages."""

from __future__ import annotations

import json

import pytest

from dataspine.audit.chain import GENESIS_HASH
from dataspine.audit.verify import verify_log
from dataspine.audit.writer import append, append_many
from dataspine.errors import StorageCorrupt
from dataspine.schemas.audit_event import Actor, AuditEvent, Channel, EventType, NewEvent
from dataspine.store import audit_events
from dataspine.store.audit_events import EventFilter
from dataspine.store.sqlite import sqlite

ADA = Actor("ada", Channel.CONSOLE)
DISCARD = NewEvent(EventType.LETTER_DISCARDED, "letter", "7", "open", "discarded", {"reason": "test feed"})


def sequences(events: list[AuditEvent]) -> list[int]:
    return [event.sequence for event in events]


def test_event_is_stored_as_given(log) -> None:
    log.connection.execute("BEGIN IMMEDIATE")
    assert append(log.connection, DISCARD, actor=ADA, at_us=5) == 1
    log.connection.execute("COMMIT")
    event = audit_events.page(log.connection, after=0, limit=1)[0]
    assert (event.sequence, event.at_us, event.actor, event.channel) == (1, 5, "ada", "console")
    assert (event.event_type, event.entity_type, event.entity_id) == ("letter_discarded", "letter", "7")
    assert (event.old_state, event.new_state) == ("open", "discarded")
    assert event.metadata == {"reason": "test feed"}
    assert event.prev_hash == GENESIS_HASH


def test_event_of_a_rolled_back_change_leaves_no_gap(log) -> None:
    log.record(2)
    log.connection.execute("BEGIN IMMEDIATE")
    append(log.connection, DISCARD, actor=ADA, at_us=5)
    log.connection.execute("ROLLBACK")
    assert log.record(2) == range(3, 5)
    assert verify_log(log.connection, []).events == 4


def test_event_outside_a_transaction_is_refused(log) -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        append(log.connection, DISCARD, actor=ADA, at_us=5)


def test_no_events_are_an_empty_range(log) -> None:
    log.record(3)
    log.connection.execute("BEGIN IMMEDIATE")
    assert list(append_many(log.connection, [], actor=ADA, at_us=5)) == []
    log.connection.execute("COMMIT")


@pytest.mark.parametrize("sql", ["UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events"])
def test_table_refuses_change(log, sql: str) -> None:
    log.record(1)
    with pytest.raises(sqlite.IntegrityError, match="append-only"):
        log.connection.execute(sql)


def test_metadata_survives_hostile_text(log) -> None:
    hostile = {"\ud800": "\x1b]0;x\x07", "\u202e": "\u0000", "😀": ["\udfff"]}
    log.connection.execute("BEGIN IMMEDIATE")
    event = NewEvent(EventType.LETTER_EDITED, "letter", "a\x00b", metadata=hostile)
    append(log.connection, event, actor=ADA, at_us=5)
    log.connection.execute("COMMIT")
    assert audit_events.newest(log.connection, limit=1)[0].metadata == hostile
    assert audit_events.newest(log.connection, limit=1)[0].entity_id == "a\x00b"
    assert verify_log(log.connection, []).ok


@pytest.mark.parametrize("text", ["", "[]", "nonsense", "3"])
def test_damaged_metadata_is_named_when_read(log, text: str) -> None:
    log.record(1)
    log.tamper("UPDATE audit_events SET metadata_json = ?", text)
    with pytest.raises(StorageCorrupt, match="audit event 1"):
        _ = audit_events.page(log.connection, after=0, limit=1)[0].metadata


def test_pages_follow_each_other(log) -> None:
    log.record(7)
    first = audit_events.page(log.connection, after=0, limit=3)
    second = audit_events.page(log.connection, after=first[-1].sequence, limit=3)
    assert sequences(first) + sequences(second) == [1, 2, 3, 4, 5, 6]


def test_newest_goes_backwards(log) -> None:
    log.record(5)
    assert sequences(audit_events.newest(log.connection, limit=2)) == [5, 4]
    assert sequences(audit_events.newest(log.connection, limit=2, before=4)) == [3, 2]


def test_changes_are_what_came_after(log) -> None:
    log.record(3)
    assert audit_events.changes(log.connection, after=3) == []
    log.record(2)
    assert sequences(audit_events.changes(log.connection, after=3)) == [4, 5]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (EventFilter(), [1, 2, 3, 4]),
        (EventFilter(entity_type="run", entity_id="8"), [3]),
        (EventFilter(actor="ada"), [3, 4]),
        (EventFilter(event_type="letter_discarded"), [4]),
        (EventFilter(event_type="run_started", actor="ada"), [3]),
        (EventFilter(entity_id="' OR 1=1 --"), []),
    ],
)
def test_filters(log, only: EventFilter, expected: list[int]) -> None:
    log.record(2)
    log.record(1, entity_id="8", actor="ada")
    log.connection.execute("BEGIN IMMEDIATE")
    append(log.connection, DISCARD, actor=ADA, at_us=5)
    log.connection.execute("COMMIT")
    assert sequences(audit_events.page(log.connection, after=0, limit=10, only=only)) == expected
    assert sequences(audit_events.newest(log.connection, limit=10, only=only)) == expected[::-1]


def test_timeline_is_one_entity(log) -> None:
    log.record(1, entity_id="1")
    log.record(2, entity_id="2")
    assert sequences(audit_events.timeline(log.connection, "run", "2")) == [2, 3]
    assert sequences(audit_events.timeline(log.connection, "run", "2", after=2)) == [3]


@pytest.mark.parametrize(
    "tail",
    [
        "WHERE entity_type = 'run' AND entity_id = '1' AND sequence > 0 ORDER BY sequence LIMIT 5",
        "WHERE event_type = 'run_started' AND sequence > 0 ORDER BY sequence LIMIT 5",
        "WHERE sequence > 0 ORDER BY sequence LIMIT 5",
    ],
)
def test_reads_seek_and_never_sort(log, tail: str) -> None:
    plan = log.connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM audit_events {tail}").fetchall()
    text = json.dumps([row[-1] for row in plan])
    assert "SEARCH" in text
    assert "TEMP B-TREE" not in text


def test_limit_is_bounded(log) -> None:
    log.record(2)
    assert audit_events.page(log.connection, after=0, limit=-1) == []
    assert len(audit_events.page(log.connection, after=0, limit=10**12)) == 2
