"""Whether an audit log is whole: the table against its anchors, a file of JSON lines against itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import chain as concatenated
from typing import TYPE_CHECKING

from dataspine.audit.anchors import Anchor
from dataspine.audit.chain import GENESIS, ChainReport, Link, is_hash, link_from_row, verify_links
from dataspine.audit.export import MANIFEST_KEY
from dataspine.audit.lines import link_from_line
from dataspine.clock import iso_from_us
from dataspine.schemas.audit_event import ChainHead
from dataspine.store import audit_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from dataspine.store.sqlite import Connection

# About 60 ms of reading; a reader may hold its snapshot for 250 ms.
_PAGE_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What `audit verify` says of a workspace's audit log."""

    ok: bool
    events: int
    """Events read and found in order."""
    head: ChainHead
    """Where the sound part ends."""
    first_bad: int | None
    """Sequence at which the log stops being what it was."""
    what: str | None
    """What is wrong there."""
    anchors_checked: int
    anchored_up_to: int
    """Sequence of the newest anchor that matched; a cut of events after it would not show."""


def verify_log(
    connection: Connection,
    anchors: Sequence[Anchor],
    *,
    since: Anchor | None = None,
    external_hash: str | None = None,
) -> AuditReport:
    """Walk the table's chain, then hold it against every anchor.

    `since` starts at that anchor's event instead of the first and trusts what stands before it.
    `external_hash` is a head that somebody noted elsewhere; it must be the hash of an event.
    """
    start = GENESIS if since is None else _start_at(connection, since)
    held = sorted({*anchors, *([since] if since else [])}, key=lambda anchor: anchor.sequence)
    due = [anchor for anchor in held if anchor.sequence > start.sequence]
    report, matched = _walk(connection, due, start)
    if report.ok and external_hash is not None:
        report = _check_external(connection, external_hash.strip().lower(), report)
    return AuditReport(
        ok=report.ok,
        events=report.events,
        head=report.head,
        first_bad=report.first_bad,
        what=report.what,
        anchors_checked=len(matched),
        anchored_up_to=matched[-1].sequence if matched else start.sequence,
    )


def verify_file(path: Path, *, start: ChainHead = GENESIS) -> ChainReport:
    """Walk a file of JSON lines: a mirror, an `AuditLogWriter` log, or an evidence export with its manifest.

    A file that goes on from an earlier event, as the mirror of one run does, needs that event as `start`.
    An evidence export's manifest says by itself where it starts and where it must end.
    Raises: OSError if the file cannot be read.
    """
    with path.open("rb") as lines:
        first = next(lines, b"")
        manifest = _manifest(first)
        if manifest is None:
            return _verify_lines(concatenated([first] if first else [], lines), start)
        manifest_start, end = manifest
        report = _verify_lines(lines, manifest_start)
    if report.ok and report.head != end:
        what = f"the manifest names event {end.sequence} with hash {end.hash} as the last"
        return replace(report, ok=False, first_bad=report.head.sequence + 1, what=what)
    return report


def _walk(
    connection: Connection, due: Sequence[Anchor], start: ChainHead
) -> tuple[ChainReport, list[Anchor]]:
    """The chain's report after the anchors had their say, and the anchors that matched."""
    head, events, matched = start, 0, list[Anchor]()
    # A forged event may stand at sequence 0 or below, so a full walk has no lower edge.
    after = None if start == GENESIS else start.sequence
    while page := audit_events.rows(connection, after=after, limit=_PAGE_EVENTS):
        links = [link_from_row(row) for row in page]
        report = verify_links(links, head)
        sound = links[: report.events]
        for anchor in _within(due, head, report.head):
            if sound[anchor.sequence - head.sequence - 1].hash != anchor.hash:
                return _rewritten(anchor, sound, head, events), matched
            matched.append(anchor)
        events += report.events
        if not report.ok:
            return replace(report, events=events), matched
        head, after = report.head, report.head.sequence
    sound_report = ChainReport(True, events, head)
    beyond = next((anchor for anchor in due if anchor.sequence > head.sequence), None)
    return (sound_report if beyond is None else _cut(sound_report, due[-1])), matched


def _within(anchors: Iterable[Anchor], before: ChainHead, upto: ChainHead) -> list[Anchor]:
    return [anchor for anchor in anchors if before.sequence < anchor.sequence <= upto.sequence]


def _rewritten(anchor: Anchor, sound: Sequence[Link], before: ChainHead, events: int) -> ChainReport:
    offset = anchor.sequence - before.sequence - 1
    head = ChainHead(sound[offset - 1].sequence, sound[offset - 1].hash) if offset else before
    what = (
        f"event {anchor.sequence} has hash {sound[offset].hash}, the anchor of {iso_from_us(anchor.at_us)} "
        f"says {anchor.hash}: history was rewritten at or before it"
    )
    return ChainReport(False, events + offset, head, anchor.sequence, what)


def _cut(report: ChainReport, anchor: Anchor) -> ChainReport:
    what = (
        f"the log ends at event {report.head.sequence}, the anchor of {iso_from_us(anchor.at_us)} saw event "
        f"{anchor.sequence}: truncated or rolled back"
    )
    return replace(report, ok=False, first_bad=report.head.sequence + 1, what=what)


def _start_at(connection: Connection, since: Anchor) -> ChainHead:
    """The head just before the anchored event, so that the event itself is hashed again."""
    found = audit_events.page(connection, after=since.sequence - 1, limit=1)
    if not found or since.sequence == 1:
        return GENESIS
    return ChainHead(since.sequence - 1, found[0].prev_hash)


def _check_external(connection: Connection, external_hash: str, report: ChainReport) -> ChainReport:
    if is_hash(external_hash) and audit_events.has_hash(connection, external_hash):
        return report
    what = f"no event has the hash {external_hash}: truncated, rewritten, or noted from another log"
    return replace(report, ok=False, what=what)


def _verify_lines(lines: Iterable[bytes], start: ChainHead) -> ChainReport:
    """`verify_links` over lines; a line that is no event breaks the chain where it stands."""
    broken: list[str] = []

    def links() -> Iterator[Link]:
        for number, line in enumerate(lines, 1):
            try:
                yield link_from_line(line)
            except ValueError as error:
                broken.append(f"line {number} of the events: {error}")
                return

    report = verify_links(links(), start)
    if broken:
        return replace(report, ok=False, first_bad=report.head.sequence + 1, what=broken[0])
    return report


def _manifest(line: bytes) -> tuple[ChainHead, ChainHead] | None:
    """Where an evidence export starts and ends, or None if the line is no manifest."""
    try:
        manifest = json.loads(line)[MANIFEST_KEY]
        start = ChainHead(int(manifest["first"]) - 1, str(manifest["start_hash"]))
        return start, ChainHead(int(manifest["last"]), str(manifest["head_hash"]))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
