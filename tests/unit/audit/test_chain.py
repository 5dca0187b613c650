"""The chain's pure part: canonical text, hashes, and what each kind of break is called."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256

import pytest

from dataspine.audit.chain import GENESIS, GENESIS_HASH, canonical_json, next_event, verify_chain
from dataspine.schemas.audit_event import Actor, AuditEvent, ChainHead, Channel, EventType, NewEvent

ACTOR = Actor("ada", Channel.CLI)


def make_chain(length: int) -> list[AuditEvent]:
    """`length` sealed events from the start."""
    head, events = GENESIS, []
    for number in range(length):
        event = NewEvent(EventType.RUN_SUCCEEDED, "run", str(number), "running", "succeeded", {"n": number})
        events.append(next_event(head, event, actor=ACTOR, at_us=1_000 + number))
        head = ChainHead(events[-1].sequence, events[-1].hash)
    return events


def test_hash_is_the_documented_one() -> None:
    """Spelled out here so that the form can never change unnoticed: old logs must verify for ever."""
    event = make_chain(1)[0]
    body = (
        '{"actor":"ada","at_us":1000,"channel":"cli","entity_id":"0","entity_type":"run",'
        '"event_type":"run_succeeded","metadata":{"n":0},"new_state":"succeeded","old_state":"running",'
        '"prev_hash":"' + "0" * 64 + '","sequence":1}'
    )
    assert event.hash == sha256(body.encode()).hexdigest()
    assert event.prev_hash == GENESIS_HASH


def test_sound_chain_verifies() -> None:
    events = make_chain(5)
    report = verify_chain(events)
    assert (report.ok, report.events, report.head) == (True, 5, ChainHead(5, events[-1].hash))


def test_empty_chain_verifies() -> None:
    assert verify_chain([]).head == GENESIS


def test_chain_verifies_in_pages() -> None:
    events = make_chain(5)
    first = verify_chain(events[:3])
    assert verify_chain(events[3:], first.head).ok


@pytest.mark.parametrize(
    ("tampered", "first_bad", "word"),
    [
        (lambda e: [*e[:2], *e[3:]], 3, "missing"),
        (lambda e: e[1:], 1, "missing"),
        (lambda e: [*e[:3], e[2], *e[3:]], 3, "repeated"),
        (lambda e: [e[0], e[2], e[1], *e[3:]], 2, "missing"),
        (lambda e: [*e[:2], replace(e[2], actor="bob"), *e[3:]], 3, "changed"),
        (lambda e: [replace(e[0], sequence=0), *e], 0, "inserted"),
    ],
    ids=["deleted", "first deleted", "duplicated", "swapped", "edited", "inserted before the first"],
)
def test_break_is_named(tampered, first_bad: int, word: str) -> None:
    report = verify_chain(tampered(make_chain(5)))
    assert not report.ok
    assert report.first_bad == first_bad
    assert word in report.what


def test_forged_event_with_its_own_right_hash_breaks_the_next_link() -> None:
    events = make_chain(5)
    head = ChainHead(2, events[1].hash)
    forged = next_event(head, NewEvent(EventType.LETTER_DISCARDED, "letter", "9"), actor=ACTOR, at_us=1)
    report = verify_chain([*events[:2], forged, *events[3:]])
    assert (report.ok, report.events, report.first_bad) == (False, 3, 4)
    assert "does not continue" in report.what


@pytest.mark.parametrize("field", ["at_us", "actor", "metadata_json", "old_state", "hash", "prev_hash"])
@pytest.mark.parametrize("value", [None, 7.5, b"x", ["x"]])
def test_value_of_a_wrong_type_is_a_break_not_a_crash(field: str, value: object) -> None:
    if field == "old_state" and value is None:
        value = "x"
    events = make_chain(3)
    assert not verify_chain([events[0], replace(events[1], **{field: value}), events[2]]).ok


def test_number_stored_as_text_is_found() -> None:
    events = make_chain(1)
    assert not verify_chain([replace(events[0], at_us="1000")]).ok


@pytest.mark.parametrize("text", ['{"n": 0}', '{"n":1,"n":0}', '{"n":0.0}', '{"n":0}\n'])
def test_metadata_of_equal_meaning_and_other_text_is_found(text: str) -> None:
    events = make_chain(1)
    assert not verify_chain([replace(events[0], metadata_json=text)]).ok


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1.5, None, True]}, '{"a":[1.5,null,true],"b":1}'),
        ({10: "x", 2: "y"}, '{"10":"x","2":"y"}'),
        (Decimal("1.50"), '"1.50"'),
        (Decimal("1E+3"), '"1000"'),
        (date(2026, 3, 4), '"2026-03-04"'),
        (datetime(2026, 3, 4, tzinfo=UTC), '"2026-03-04T00:00:00+00:00"'),
        ("\x1b[31m\x7f\u202e", r'"\u001b[31m\u007f\u202e"'),
        ("\ud800", r'"\ud800"'),
        (EventType.RUN_STARTED, '"run_started"'),
    ],
)
def test_canonical_text(value: object, text: str) -> None:
    assert canonical_json(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_number_without_a_value_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"x": value})


@pytest.mark.parametrize("value", [object(), b"x", {"x": {1, 2}}])
def test_value_without_a_json_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_lone_surrogates_are_spelled_out_before_storing() -> None:
    event = NewEvent(EventType.LETTER_EDITED, "letter", "\udcff", "\ud800", None, {"\ud800": "\udfff"})
    stored = next_event(GENESIS, event, actor=Actor("\udc80", Channel.CONSOLE), at_us=0)
    assert (stored.entity_id, stored.old_state, stored.actor) == (r"\udcff", r"\ud800", r"\udc80")
    assert json.loads(stored.metadata_json) == {"\ud800": "\udfff"}
    assert verify_chain([stored]).ok
