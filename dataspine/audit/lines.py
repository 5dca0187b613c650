"""One audit event as one JSON line, and the chain's view of such a line.

A line is the hashed body plus `hash` and `timestamp`, canonical: without those two, its SHA-256 is its hash.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dataspine.audit.chain import Link, body_hash, canonical_json, sorted_json
from dataspine.clock import iso_from_us
from dataspine.schemas.audit_event import AuditEvent, ChainHead

if TYPE_CHECKING:
    from collections.abc import Mapping

OPENING = b'{"actor":'
"""How every event's line begins."""


def line_from_event(event: AuditEvent) -> bytes:
    """The event's line, with its line feed; ASCII without control characters whatever the table holds."""
    line = {
        "actor": event.actor,
        "at_us": event.at_us,
        "channel": event.channel,
        "entity_id": event.entity_id,
        "entity_type": event.entity_type,
        "event_type": event.event_type,
        "hash": event.hash,
        "metadata": _metadata(event.metadata_json),
        "new_state": event.new_state,
        "old_state": event.old_state,
        "prev_hash": event.prev_hash,
        "sequence": event.sequence,
        "timestamp": _timestamp(event.at_us),
    }
    return _line(line)


def line_from_body(body: Mapping[str, object]) -> tuple[bytes, ChainHead]:
    """The line of an event that no table holds, and the chain's head after it.

    `body` is every hashed field. Raises: TypeError or ValueError if a value has no JSON form.
    """
    plain = json.loads(canonical_json(dict(body)))
    sealed = body_hash(plain)
    line = _line({**plain, "hash": sealed, "timestamp": _timestamp(plain["at_us"])})
    return line, ChainHead(plain["sequence"], sealed)


def link_from_line(line: bytes) -> Link:
    """The chain's view of one line.

    Raises: ValueError if the line is not a canonical event.
    """
    try:
        fields = json.loads(line.decode("ascii"))
        if not isinstance(fields, dict) or _line(fields) != line:
            raise ValueError("not a canonical JSON object with a line feed")
        if not isinstance(fields["sequence"], int):
            raise ValueError("sequence is not a whole number")  # noqa: TRY004 - a line is judged, not a caller
        stored_hash, timestamp = fields.pop("hash"), fields.pop("timestamp")
        link = Link(fields["sequence"], fields["prev_hash"], stored_hash, body_hash(fields))
    except (KeyError, RecursionError) as error:
        raise ValueError(f"not an audit event: {error}") from error
    if timestamp != _timestamp(fields.get("at_us")):
        raise ValueError("timestamp is not the one of at_us")
    return link


def _line(fields: Mapping[str, object]) -> bytes:
    return sorted_json(fields).encode("ascii") + b"\n"


def _timestamp(at_us: object) -> str | None:
    """ISO time, or None where a damaged row holds no instant."""
    try:
        return iso_from_us(at_us) if isinstance(at_us, int) else None
    except OverflowError:
        return None


def _metadata(text: str) -> object:
    """The parsed metadata; the bare text where it is not ours, so that the line's hash cannot match."""
    try:
        parsed: object = json.loads(text)
        return parsed if sorted_json(parsed) == text else text
    except (ValueError, TypeError, RecursionError):
        return text
