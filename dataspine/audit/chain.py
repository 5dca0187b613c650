"""The hash chain, pure: canonical JSON, an event's hash, the next event, and where a chain is broken.

hash = SHA-256 of {"actor", "at_us", "channel", "entity_id", "entity_type", "event_type", "metadata",
"new_state", "old_state", "prev_hash", "sequence"} as canonical JSON: sorted keys, no spaces, ASCII only.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from hashlib import sha256
from json.encoder import encode_basestring_ascii as _quoted
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from dataspine.schemas.audit_event import Actor, AuditEvent, ChainHead, NewEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

GENESIS_HASH = "0" * 64
"""What the first event names as its predecessor."""
GENESIS = ChainHead(0, GENESIS_HASH)
"""An empty chain."""
_row_from_event = attrgetter(*(field.name for field in fields(AuditEvent)))
_HASH_FORM = re.compile(r"[0-9a-f]{64}")


class Link(NamedTuple):
    """What the chain needs of one stored event."""

    sequence: int
    prev_hash: str
    hash: str
    """As stored."""
    computed_hash: str
    """Of the stored fields; empty when they have no canonical form."""


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a walk along a chain found."""

    ok: bool
    events: int
    """Events that were found in order before the end or the first bad one."""
    head: ChainHead
    """Where the sound part ends."""
    first_bad: int | None = None
    """Sequence at which the chain breaks."""
    what: str | None = None
    """What is wrong there."""


def canonical_json(value: object) -> str:
    """The one text of a JSON value: sorted keys, no spaces, ASCII only; Decimals and dates as strings.

    Raises: TypeError for a value without a JSON form, ValueError for NaN and infinity.
    """
    # Decoding once first turns every key into text and joins surrogate halves, so the order of the keys is
    # the same when the text is read and written again.
    return _encode(json.loads(_encode_as_given(value)))


def sorted_json(value: object) -> str:
    """Canonical JSON of a value that came out of a JSON decoder.

    Raises: ValueError for NaN and infinity.
    """
    return _encode(value)


def event_hash(event: AuditEvent) -> str:
    """SHA-256 over every stored field but the hash itself.

    Raises: TypeError if a field has another type than its column.
    """
    return _row_hash(_row_from_event(event))


def _row_hash(row: Sequence[Any]) -> str:
    """The metadata goes in as the text that is stored, so not one byte of it can change unseen."""
    sequence, at_us, actor, channel, event_type, entity_type, entity_id, old, new, metadata, prev_hash, _ = (
        row
    )
    # Half the time of a dict through json; a property test holds the two equal. int.__repr__ refuses text.
    body = (
        f'{{"actor":{_quoted(actor)},"at_us":{int.__repr__(at_us)},"channel":{_quoted(channel)}'
        f',"entity_id":{_quoted(entity_id)},"entity_type":{_quoted(entity_type)}'
        f',"event_type":{_quoted(event_type)},"metadata":{metadata}'
        f',"new_state":{"null" if new is None else _quoted(new)}'
        f',"old_state":{"null" if old is None else _quoted(old)}'
        f',"prev_hash":{_quoted(prev_hash)},"sequence":{int.__repr__(sequence)}}}'
    )
    return sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def body_hash(body: Mapping[str, object]) -> str:
    """SHA-256 of an event that stands in a JSON line, without its hash."""
    return sha256(sorted_json(body).encode("ascii")).hexdigest()


def next_event(head: ChainHead, event: NewEvent, *, actor: Actor, at_us: int) -> AuditEvent:
    """`event` sealed as the successor of `head`.

    Raises: TypeError or ValueError if the metadata has no JSON form.
    """
    unsealed = AuditEvent(
        sequence=head.sequence + 1,
        at_us=at_us,
        actor=storable_text(actor.name),
        channel=str(actor.channel),
        event_type=str(event.event_type),
        entity_type=storable_text(event.entity_type),
        entity_id=storable_text(event.entity_id),
        old_state=None if event.old_state is None else storable_text(event.old_state),
        new_state=None if event.new_state is None else storable_text(event.new_state),
        metadata_json=canonical_json(dict(event.metadata)),
        prev_hash=head.hash,
        hash="",
    )
    return replace(unsealed, hash=event_hash(unsealed))


def is_hash(value: object) -> bool:
    """Whether `value` is the text of a SHA-256."""
    return isinstance(value, str) and _HASH_FORM.fullmatch(value) is not None


def storable_text(text: str) -> str:
    r"""`text` with lone surrogates spelled `\udXXX`: SQLite's UTF-8 has no place for them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def link_from_row(row: Sequence[Any]) -> Link:
    """The chain's view of a row of `audit_events`, its columns in the order of `AuditEvent`."""
    try:
        computed_hash = _row_hash(row)
    except TypeError:
        computed_hash = ""
    return Link(row[0], row[-2], row[-1], computed_hash)


def verify_chain(events: Iterable[AuditEvent], start: ChainHead = GENESIS) -> ChainReport:
    """Whether `events` follow `start` without a gap, an edit, an insertion or a swap; tells the first break.

    A cut tail leaves a sound, shorter chain: only an anchor shows it (see `audit.verify`).
    """
    return verify_links((link_from_row(_row_from_event(event)) for event in events), start)


def verify_links(links: Iterable[Link], start: ChainHead = GENESIS) -> ChainReport:
    """`verify_chain` for events in any carrier."""
    sequence, last_hash = start.sequence, start.hash
    for link in links:
        expected = sequence + 1
        if link.sequence != expected or link.hash != link.computed_hash or link.prev_hash != last_hash:
            head = ChainHead(sequence, last_hash)
            what, first_bad = _break(link, head)
            return ChainReport(False, sequence - start.sequence, head, first_bad, what)
        sequence, last_hash = expected, link.hash
    return ChainReport(True, sequence - start.sequence, ChainHead(sequence, last_hash))


def _break(link: Link, head: ChainHead) -> tuple[str, int]:
    """What is wrong with `link` as the successor of `head`, and at which sequence."""
    expected = head.sequence + 1
    if link.sequence > expected:
        return f"event {expected} is missing; the next one stored is {link.sequence}", expected
    if link.sequence < expected:
        return f"event {link.sequence} stands where {expected} belongs: repeated or inserted", link.sequence
    if link.hash != link.computed_hash:
        return f"event {expected} does not match its hash: a field was changed", expected
    return f"event {expected} does not continue event {head.sequence}: one of them was replaced", expected


def _json_form(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else str(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"audit metadata must be JSON values, Decimals or dates, got {type(value).__name__}")


# An encoder object is built once: json.dumps with options builds one per call.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_encode_as_given = json.JSONEncoder(allow_nan=False, default=_json_form).encode
