"""Anchors: heads of the audit chain kept outside the database, so that a cut or rolled-back chain shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dataspine.audit.chain import is_hash
from dataspine.audit.journal import Journal
from dataspine.clock import iso_from_us, us_from_datetime
from dataspine.errors import StorageCorrupt

if TYPE_CHECKING:
    from pathlib import Path

    from dataspine.schemas.audit_event import ChainHead

FILE_NAME = "audit-anchors.jsonl"
"""Its name in the workspace."""
EVENTS_PER_ANCHOR = 1_000
ANCHOR_INTERVAL_US = 3_600 * 1_000_000
_OPENING = b'{"at":'


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head of the chain as it was seen at an instant."""

    sequence: int
    hash: str
    at_us: int


def needs_anchor(last: Anchor | None, head_sequence: int, now_us: int) -> bool:
    """Whether the head should be anchored: after 1,000 events, or when new events have waited an hour."""
    if last is None:
        return head_sequence > 0
    new_events = head_sequence - last.sequence
    if new_events <= 0:
        return False
    # A clock that went back says nothing about the time passed; one anchor too many does no harm.
    is_recent = 0 <= now_us - last.at_us < ANCHOR_INTERVAL_US
    return new_events >= EVENTS_PER_ANCHOR or not is_recent


def append_anchor(path: Path, head: ChainHead, *, at_us: int) -> None:
    """Add a head to the anchors file and sync the disk; call it after the events' commit, never before.

    Raises: StorageFull, StorageError, BusyError.
    """
    fields = {"at": iso_from_us(at_us), "hash": head.hash, "sequence": head.sequence}
    line = json.dumps(fields, separators=(",", ":"))
    journal = Journal(path, opening=_OPENING, durable=True)
    try:
        with journal.locked():
            journal.append(line.encode("ascii") + b"\n")
    finally:
        journal.close()


def read_anchors(path: Path) -> list[Anchor]:
    """All anchors, oldest first; none if there is no file. A torn last line is left out.

    Raises: StorageCorrupt if a whole line is not an anchor.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    *whole_lines, _torn = content.split(b"\n")
    return [_anchor_from_line(line, path, number) for number, line in enumerate(whole_lines, 1)]


def _anchor_from_line(line: bytes, path: Path, number: int) -> Anchor:
    try:
        fields = json.loads(line.decode("ascii"))
        sequence, anchored_hash = fields["sequence"], fields["hash"]
        at_us = us_from_datetime(datetime.fromisoformat(fields["at"]))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(path, number) from error
    if not (isinstance(sequence, int) and sequence > 0 and is_hash(anchored_hash)):
        raise _damaged(path, number)
    return Anchor(sequence, anchored_hash, at_us)


def _damaged(path: Path, number: int) -> StorageCorrupt:
    return StorageCorrupt(
        "an audit anchor was changed or damaged",
        where=f"{path}, line {number}",
        cure="Compare the file with your copy of it; `dataspine audit verify --anchor HASH` checks one head.",
    )
