"""The audit log for front ends: pages, the feed of changes, verification, exports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dataspine.clock import SystemClock
from dataspine.errors import RequestError
from dataspine.store import audit_events
from dataspine.store.database import named_errors

if TYPE_CHECKING:
    from dataspine.audit import Anchor, AuditReport, ChainReport
    from dataspine.schemas.audit_event import AuditEvent
    from dataspine.service.desk import Desk
    from dataspine.store.audit_events import EventFilter

POLL_S = 0.1
_BATCH_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events, newest first."""

    events: list[AuditEvent]
    following: int | None
    """Give it as `before` to see the next page; None at the end."""


def page(desk: Desk, only: EventFilter, *, limit: int, before: int | None = None) -> EventPage:
    """The newest events, or the newest before a sequence."""
    with desk.reading() as database:
        found = audit_events.newest(database.connection, limit=limit + 1, before=before, only=only)
    shown = found[:limit]
    return EventPage(shown, shown[-1].sequence if len(found) > limit else None)


def follow(desk: Desk, *, after: int | None = None, poll_s: float = POLL_S) -> Iterator[AuditEvent]:
    """Events after a sequence, by default the newest, and then each as it is committed; never ends.

    `PRAGMA data_version` costs 2 µs and tells whether anybody committed.
    """
    # `--now` holds the desk's date; waiting is real.
    waiting = SystemClock()
    with desk.reading() as database:
        newest = audit_events.last(database.connection)
        seen = after if after is not None else newest.sequence if newest else 0
        version: object = None
        while True:
            current = database.one("PRAGMA data_version")
            if current == version:
                waiting.sleep_s(poll_s)
                continue
            version = current
            while events := audit_events.changes(database.connection, after=seen, limit=_BATCH_EVENTS):
                yield from events
                seen = events[-1].sequence


def verify(desk: Desk, *, since: int | None = None, external_hash: str | None = None) -> AuditReport:
    """Walk the chain and hold it against the anchors.

    Raises: RequestError if no anchor stands at or before `since`.
    """
    from dataspine.audit import read_anchors, verify_log
    from dataspine.audit.anchors import FILE_NAME

    anchors = read_anchors(desk.home / FILE_NAME)
    start = None if since is None else _anchor_before(anchors, since)
    with desk.reading() as database:
        return verify_log(database.connection, anchors, since=start, external_hash=external_hash)


def verify_file(path: Path) -> ChainReport:
    """Walk a file of events: an export, a mirror, or an `AuditLogWriter` log.

    Raises: RequestError if it cannot be read.
    """
    from dataspine.audit import verify_file as verify_lines

    try:
        return verify_lines(path)
    except OSError as error:
        raise RequestError("the file cannot be read", found=error.strerror, where=str(path)) from error


def export(
    desk: Desk, out: BinaryIO, *, first: int | None = None, last: int | None = None, evidence: bool = False
) -> int:
    """Write events as JSON lines; how many. `evidence` puts a manifest before them that binds them.

    Raises: RequestError if the log does not hold both ends of an evidence export.
    """
    from dataspine.audit import export_events, export_evidence

    with desk.reading() as database:
        if not evidence:
            return export_events(database.connection, out, first=first, last=last)
        start = first or 1
        head = export_evidence(
            database.connection, out, first=start, last=last, exported_at_us=desk.clock.now_us()
        )
        return head.sequence - start + 1


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that was not there before, mode 0600.

    Raises: RequestError if it is there; StorageError, StorageFull.
    """
    with named_errors(path):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError as error:
            raise RequestError("the file exists already", where=str(path), cure="Name a new one") from error
        with os.fdopen(descriptor, "wb") as file:
            yield file


def _anchor_before(anchors: list[Anchor], sequence: int) -> Anchor:
    found = [anchor for anchor in anchors if anchor.sequence <= sequence]
    if not found:
        raise RequestError(
            "no anchor stands at or before that event",
            found=sequence,
            cure="Leave --since out to walk the whole log",
        )
    return max(found, key=lambda anchor: anchor.sequence)
