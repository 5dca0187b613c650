"""Appending to the audit log: `append` into the store's table, `AuditLogWriter` into a file of JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from dataspine.audit.chain import GENESIS, next_event
from dataspine.audit.journal import Journal
from dataspine.audit.lines import OPENING, line_from_body, link_from_line
from dataspine.clock import Clock, SystemClock
from dataspine.errors import StorageCorrupt
from dataspine.schemas.audit_event import Actor, AuditEvent, ChainHead, Channel, NewEvent
from dataspine.store import audit_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from dataspine.store.sqlite import Connection

_LIBRARY = Actor("library", Channel.LIBRARY)


def append(tx: Connection, event: NewEvent, *, actor: Actor, at_us: int) -> int:
    """Record `event` in the caller's transaction and return its sequence."""
    return append_many(tx, [event], actor=actor, at_us=at_us)[0]


def append_many(tx: Connection, events: Iterable[NewEvent], *, actor: Actor, at_us: int) -> range:
    """Record `events` in their order in the caller's transaction and return their sequences.

    The transaction must be BEGIN IMMEDIATE: the head that is read here has to be the head at commit.
    Raises: RuntimeError outside a transaction; TypeError or ValueError if metadata has no JSON form.
    """
    if not tx.in_transaction:
        raise RuntimeError("an audit event belongs in the transaction of the change it tells of")
    before = head = audit_events.last(tx) or GENESIS
    sealed: list[AuditEvent] = []
    for event in events:
        sealed.append(next_event(head, event, actor=actor, at_us=at_us))
        head = ChainHead(sealed[-1].sequence, sealed[-1].hash)
    audit_events.insert(tx, sealed)
    return range(before.sequence + 1, head.sequence + 1)


class AuditLogWriter:
    """A hash-chained, append-only log of JSON lines for scripts that have no workspace.

    Continues the chain of an existing file; several writers may share one. A line that a crash left torn is
    cut with a logged warning. Each event is handed to the operating system before `log_event` returns.
    What is logged is stored in clear: keep secrets out.
    """

    def __init__(self, log_file: str | Path, *, clock: Clock | None = None, actor: Actor = _LIBRARY) -> None:
        self._clock = clock or SystemClock()
        self._actor = actor
        # Waiting for another process takes real time, also where `clock` stands still.
        self._journal = Journal(Path(log_file), opening=OPENING)
        self._head = GENESIS
        self._head_offset_bytes = 0
        try:
            with self._journal.locked():
                self._find_head()
        except BaseException:
            self._journal.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; may be called twice."""
        self._journal.close()

    def log_event(
        self,
        event_type: str,
        entity_type: str,
        entity_id: str,
        old_state: object = None,
        new_state: object = None,
        metadata: Mapping[str, object] | None = None,
    ) -> int:
        """Append one event and return its sequence; states and metadata may be any JSON values.

        Raises: TypeError or ValueError if a value has no JSON form; StorageFull, StorageError, BusyError.
        """
        body = {
            "actor": self._actor.name,
            "channel": str(self._actor.channel),
            "event_type": str(event_type),
            "entity_type": str(entity_type),
            "entity_id": str(entity_id),
            "old_state": old_state,
            "new_state": new_state,
            "metadata": dict(metadata or {}),
        }
        with self._journal.locked():
            self._find_head()
            place = {"sequence": self._head.sequence + 1, "prev_hash": self._head.hash}
            line, head = line_from_body({**body, **place, "at_us": self._clock.now_us()})
            self._journal.append(line)
            self._head, self._head_offset_bytes = head, self._journal.size_bytes
            return head.sequence

    def _find_head(self) -> None:
        """Read the last line again if the file is not as this writer left it."""
        if self._journal.size_bytes == self._head_offset_bytes:
            return
        self._head = head_of(self._journal) or GENESIS
        self._head_offset_bytes = self._journal.size_bytes


def head_of(journal: Journal) -> ChainHead | None:
    """Where the chain in `journal` stands, or None in an empty file; call it inside `locked`.

    Raises: StorageCorrupt if the last whole line is not an event that matches its hash.
    """
    line = journal.last_line()
    if line is None:
        return None
    try:
        link = link_from_line(line)
    except ValueError as error:
        raise _damaged(journal) from error
    if link.hash != link.computed_hash:
        raise _damaged(journal)
    return ChainHead(link.sequence, link.hash)


def _damaged(journal: Journal) -> StorageCorrupt:
    return StorageCorrupt(
        "the last line of the audit log was changed or damaged",
        where=str(journal.path),
        cure="Move the file aside: it is evidence, and a new one starts by itself.",
    )
