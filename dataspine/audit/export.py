"""The audit log as JSON lines: a range, evidence with a manifest, a mirror that follows the table.

The table is the truth and a file its copy. Every line is ASCII without control characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from dataspine.audit.chain import GENESIS, canonical_json
from dataspine.audit.journal import Journal
from dataspine.audit.lines import OPENING, line_from_event
from dataspine.audit.writer import head_of
from dataspine.clock import iso_from_us
from dataspine.errors import RequestError
from dataspine.store import audit_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataspine.schemas.audit_event import AuditEvent, ChainHead
    from dataspine.store.sqlite import Connection

MANIFEST_KEY = "manifest"
MANIFEST_FORMAT = "dataspine-audit-1"
_PAGE_EVENTS = 5_000


def export_events(
    connection: Connection, out: BinaryIO, *, first: int | None = None, last: int | None = None
) -> int:
    """Write events `first` to `last`, both included, as lines; return how many.

    Without bounds everything is written that the table holds, forged rows too.
    """
    events = 0
    for page in _pages(connection, None if first is None else first - 1, last):
        out.write(b"".join(map(line_from_event, page)))
        events += len(page)
    return events


def export_evidence(
    connection: Connection, out: BinaryIO, *, first: int = 1, last: int | None = None, exported_at_us: int
) -> ChainHead:
    """Write a manifest line and then events `first` to `last`; return the head to note elsewhere.

    The manifest binds the lines: they must lead from `start_hash` to `head_hash`.
    Raises: RequestError if the table does not hold both ends.
    """
    head = audit_events.last(connection) if last is None else audit_events.head_at(connection, last)
    start = GENESIS if first == 1 else audit_events.head_at(connection, first - 1)
    if head is None or start is None or head.sequence < first:
        raise RequestError(
            "no such events", found=f"{first} to {last or 'the end'}", cure="See `dataspine audit list`."
        )
    manifest = {
        "events": head.sequence - start.sequence,
        "exported_at": iso_from_us(exported_at_us),
        "first": first,
        "format": MANIFEST_FORMAT,
        "head_hash": head.hash,
        "last": head.sequence,
        "start_hash": start.hash,
    }
    out.write(canonical_json({MANIFEST_KEY: manifest}).encode("ascii") + b"\n")
    export_events(connection, out, first=first, last=head.sequence)
    return head


def mirror(connection: Connection, path: Path, *, after: int = 0) -> int:
    """Append to the file at `path` the events it lacks and return how many.

    A new file starts after event `after`; an existing one goes on from its own last event. A torn last line
    is cut and written again from the table.
    Raises: RequestError if the file is not a copy of this table; StorageCorrupt, StorageFull, BusyError.
    """
    journal = Journal(path, opening=OPENING)
    try:
        with journal.locked():
            copied = head_of(journal)
            if copied is not None and audit_events.head_at(connection, copied.sequence) != copied:
                raise RequestError(
                    "the file is a copy of another audit log, or this log was rewritten",
                    found=f"event {copied.sequence} with hash {copied.hash}",
                    where=str(path),
                    cure="Name another file, and run `dataspine audit verify`.",
                )
            events = 0
            for page in _pages(connection, after if copied is None else copied.sequence, None):
                journal.append(b"".join(map(line_from_event, page)))
                events += len(page)
            return events
    finally:
        journal.close()


def _pages(connection: Connection, after: int | None, last: int | None) -> Iterator[list[AuditEvent]]:
    while page := audit_events.page(connection, after=after, limit=_PAGE_EVENTS):
        wanted = page if last is None else [event for event in page if event.sequence <= last]
        if wanted:
            yield wanted
        if len(wanted) < len(page):
            return
        after = page[-1].sequence
