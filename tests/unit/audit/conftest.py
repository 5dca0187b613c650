"""A log in a real database file, and the means to tamper with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dataspine.store
from dataspine.audit.writer import append_many
from dataspine.schemas.audit_event import Actor, ChainHead, Channel, EventType, NewEvent
from dataspine.store import audit_events
from dataspine.store.sqlite import Connection, sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = Path(dataspine.store.__file__).parent / "sql" / "0001_spine.sql"
NOON_US = 1_767_268_800_000_000


@dataclass
class Log:
    """The audit log of one database."""

    connection: Connection

    def record(self, count: int, *, entity_id: str = "1", actor: str = "engine") -> range:
        """Append `count` events in one transaction."""
        events = [
            NewEvent(EventType.RUN_STARTED, "run", entity_id, None, "running", {"n": number})
            for number in range(count)
        ]
        self.connection.execute("BEGIN IMMEDIATE")
        sequences = append_many(
            self.connection, events, actor=Actor(actor, Channel.ENGINE), at_us=NOON_US + 1_000_000 * count
        )
        self.connection.execute("COMMIT")
        return sequences

    def tamper(self, sql: str, *values: object) -> None:
        """Change the table behind the triggers' back."""
        self.connection.execute("DROP TRIGGER IF EXISTS audit_events_no_update")
        self.connection.execute("DROP TRIGGER IF EXISTS audit_events_no_delete")
        self.connection.execute("PRAGMA ignore_check_constraints = ON")
        self.connection.execute(sql, values)

    def head(self) -> ChainHead:
        """Its newest event."""
        head = audit_events.last(self.connection)
        assert head is not None
        return head


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """An empty audit log in a database file."""
    connection = sqlite.connect(str(tmp_path / "spine.db"), isolation_level=None)
    connection.executescript(SCHEMA.read_text(encoding="utf-8"))
    yield Log(connection)
    connection.close()
