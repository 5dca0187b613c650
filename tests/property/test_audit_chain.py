"""Any chain verifies, and any single change of a stored chain is found."""

from __future__ import annotations

import json
from dataclasses import fields, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dataspine.audit.chain import GENESIS, body_hash, event_hash, next_event, verify_chain
from dataspine.audit.lines import line_from_body, line_from_event, link_from_line
from dataspine.schemas.audit_event import Actor, AuditEvent, ChainHead, Channel, EventType, NewEvent

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT
)
JSON_VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
METADATA = st.dictionaries(ANY_TEXT, JSON_VALUES, max_size=4)
INSTANTS = st.integers(-(2**60), 2**60)
NEW_EVENTS = st.builds(
    NewEvent,
    st.sampled_from(EventType),
    ANY_TEXT,
    ANY_TEXT,
    st.none() | ANY_TEXT,
    st.none() | ANY_TEXT,
    METADATA,
)
ACTORS = st.builds(Actor, ANY_TEXT, st.sampled_from(Channel))


@st.composite
def chains(draw: st.DrawFn, min_size: int = 0) -> list[AuditEvent]:
    """Events sealed one after the other."""
    head, events = GENESIS, []
    for event in draw(st.lists(NEW_EVENTS, min_size=min_size, max_size=6)):
        events.append(next_event(head, event, actor=draw(ACTORS), at_us=draw(INSTANTS)))
        head = ChainHead(events[-1].sequence, events[-1].hash)
    return events


@given(chains())
def test_every_chain_verifies(events: list[AuditEvent]) -> None:
    report = verify_chain(events)
    assert report.ok
    assert report.events == len(events)


@given(chains(min_size=1))
def test_every_event_survives_storage_as_utf8(events: list[AuditEvent]) -> None:
    for event in events:
        for value in (getattr(event, field.name) for field in fields(event)):
            if isinstance(value, str):
                assert value.encode("utf-8").decode("utf-8") == value


@given(chains(min_size=1))
def test_quick_hash_equals_the_hash_of_the_canonical_body(events: list[AuditEvent]) -> None:
    for event in events:
        body = {field.name: getattr(event, field.name) for field in fields(event)}
        del body["hash"], body["metadata_json"]
        assert event_hash(event) == body_hash({**body, "metadata": event.metadata})


@given(chains(min_size=1))
def test_line_carries_the_event_in_printable_ascii(events: list[AuditEvent]) -> None:
    for event in events:
        line = line_from_event(event)
        assert line[:-1].decode("ascii").isprintable()
        assert link_from_line(line) == (event.sequence, event.prev_hash, event.hash, event.hash)


@given(JSON_VALUES, JSON_VALUES, METADATA)
def test_free_body_gives_a_line_that_verifies(old: object, new: object, metadata: dict[str, object]) -> None:
    body = {
        "at_us": 0,
        "old_state": old,
        "new_state": new,
        "metadata": metadata,
        "sequence": 1,
        "prev_hash": "",
    }
    line, head = line_from_body(body)
    assert link_from_line(line) == (1, "", head.hash, head.hash)


def _changed(draw: st.DataObject, value: object) -> object:
    """Another value for the same column."""
    if isinstance(value, int):
        return value ^ (1 << draw.draw(st.integers(0, 62)))
    if value is None or not value or draw.draw(st.booleans()):
        return draw.draw((ANY_TEXT | st.just("{}")).filter(lambda text: text != value))
    position = draw.draw(st.integers(0, len(value) - 1))
    flipped = chr(ord(value[position]) ^ (1 << draw.draw(st.integers(0, 6))))
    return value[:position] + flipped + value[position + 1 :]


@settings(max_examples=200)
@given(chains(min_size=1), st.data())
def test_any_change_or_bit_flip_of_any_column_is_found(events: list[AuditEvent], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(events) - 1))
    column = data.draw(st.sampled_from([field.name for field in fields(AuditEvent)]))
    value = _changed(data, getattr(events[index], column))
    assert not verify_chain(
        [*events[:index], replace(events[index], **{column: value}), *events[index + 1 :]]
    ).ok


@given(chains(min_size=2), st.data())
def test_deletion_before_the_last_is_found(events: list[AuditEvent], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(events) - 2))
    assert not verify_chain(events[:index] + events[index + 1 :]).ok


@given(chains(min_size=2), st.data())
def test_swap_is_found_with_and_without_new_numbers(events: list[AuditEvent], data: st.DataObject) -> None:
    i, j = sorted(data.draw(st.lists(st.integers(0, len(events) - 1), min_size=2, max_size=2, unique=True)))
    events[i], events[j] = events[j], events[i]
    assert not verify_chain(events).ok
    renumbered = [replace(event, sequence=number) for number, event in enumerate(events, 1)]
    assert not verify_chain(renumbered).ok


@given(chains(min_size=1), NEW_EVENTS, ACTORS, st.data())
def test_insertion_and_duplicate_are_found(
    events: list[AuditEvent], forged: NewEvent, actor: Actor, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(events) - 1))
    head = ChainHead(index, events[index].prev_hash)
    inserted = next_event(head, forged, actor=actor, at_us=0)
    later = [replace(event, sequence=event.sequence + 1) for event in events[index:]]
    assert not verify_chain([*events[:index], inserted, *later]).ok
    assert not verify_chain([*events[:index], inserted, *events[index:]]).ok
    assert not verify_chain([*events[: index + 1], *events[index:]]).ok


@given(chains(min_size=1), st.data())
def test_cut_tail_is_a_sound_shorter_chain(events: list[AuditEvent], data: st.DataObject) -> None:
    """Why anchors exist: the chain alone cannot see this."""
    kept = data.draw(st.integers(0, len(events) - 1))
    assert verify_chain(events[:kept]).ok


@settings(max_examples=200)
@given(chains(min_size=1), st.data())
def test_any_flipped_bit_of_a_line_is_found(events: list[AuditEvent], data: st.DataObject) -> None:
    line = line_from_event(data.draw(st.sampled_from(events)))
    position = data.draw(st.integers(0, len(line) - 1))
    flipped = bytearray(line)
    flipped[position] ^= 1 << data.draw(st.integers(0, 7))
    original = json.loads(line)
    try:
        link = link_from_line(bytes(flipped))
    except ValueError:
        return
    follows = (link.sequence, link.prev_hash) == (original["sequence"], original["prev_hash"])
    assert not (follows and link.hash == link.computed_hash)
