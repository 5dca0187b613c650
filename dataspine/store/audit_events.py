"""All SQL on `audit_events`: insert, the head of the chain, keyset pages, the change feed.

No statement here updates or deletes; triggers refuse both. Pages are fetched whole, so no cursor stays open.
Statements are put together from the names below; values are always bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from dataspine.schemas.audit_event import AuditEvent, ChainHead
from dataspine.store.sqlite import Connection, sqlite

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE_EVENTS_MAX = 50_000
"""Events that one page may hold."""

_COLUMN_NAMES = (
    "sequence", "at_us", "actor", "channel", "event_type", "entity_type", "entity_id",
    "old_state", "new_state", "metadata_json", "prev_hash", "hash",
)  # fmt: skip
_COLUMNS = ", ".join(_COLUMN_NAMES)
# A TEXT cell that a damaged disk left with bytes that are not UTF-8 is read as a BLOB.
_RAW_COLUMNS = ", ".join(
    f"iif(typeof({name}) = 'text', CAST({name} AS BLOB), {name})" for name in _COLUMN_NAMES
)
_row_from_event = attrgetter(*_COLUMN_NAMES)
_INSERT = f"INSERT INTO audit_events ({_COLUMNS}) VALUES ({', '.join('?' * len(_COLUMN_NAMES))})"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a page shows; a filter that is None lets everything pass.

    Type and entity have indexes. `actor` alone is a walk along the table.
    """

    event_type: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    actor: str | None = None


EVERYTHING = EventFilter()


def insert(tx: Connection, events: Iterable[AuditEvent]) -> None:
    """Store sealed events; the caller owns the transaction."""
    tx.executemany(_INSERT, map(_row_from_event, events))


def last(connection: Connection) -> ChainHead | None:
    """Sequence and hash of the newest event, or None when there is none."""
    row = connection.execute(
        "SELECT sequence, hash FROM audit_events ORDER BY sequence DESC LIMIT 1"
    ).fetchone()
    return None if row is None else ChainHead(*row)


def page(
    connection: Connection, *, after: int | None, limit: int, only: EventFilter = EVERYTHING
) -> list[AuditEvent]:
    """The `limit` oldest events with a sequence over `after`, oldest first; None starts at the first row."""
    condition, values = _condition(only, "sequence > ?", after)
    return _select(connection, f"{condition} ORDER BY sequence LIMIT ?", (*values, _bounded(limit)))


def rows(connection: Connection, *, after: int | None, limit: int) -> list[tuple[Any, ...]]:
    """A page as bare rows in the order of `AuditEvent`'s fields, for whoever reads a million.

    `after=None` starts at the very first row: a forged event may stand at sequence 0 or below.
    """
    condition, values = _condition(EVERYTHING, "sequence > ?", after)
    return _rows(connection, f"{condition} ORDER BY sequence LIMIT ?", (*values, _bounded(limit)))


def newest(
    connection: Connection, *, limit: int, before: int | None = None, only: EventFilter = EVERYTHING
) -> list[AuditEvent]:
    """The `limit` newest events with a sequence under `before`, newest first."""
    condition, values = _condition(only, "sequence < ?", before)
    return _select(connection, f"{condition} ORDER BY sequence DESC LIMIT ?", (*values, _bounded(limit)))


def changes(connection: Connection, *, after: int, limit: int = 1_000) -> list[AuditEvent]:
    """What happened since the reader last looked, oldest first: the change feed."""
    return page(connection, after=after, limit=limit)


def timeline(
    connection: Connection, entity_type: str, entity_id: str, *, after: int = 0, limit: int = 1_000
) -> list[AuditEvent]:
    """The life of one entity, oldest first."""
    only = EventFilter(entity_type=entity_type, entity_id=entity_id)
    return page(connection, after=after, limit=limit, only=only)


def head_at(connection: Connection, sequence: int) -> ChainHead | None:
    """The chain as it stood when `sequence` was its newest event, or None if there is no such event."""
    row = connection.execute(
        "SELECT sequence, hash FROM audit_events WHERE sequence = ?", (sequence,)
    ).fetchone()
    return None if row is None else ChainHead(*row)


def has_hash(connection: Connection, event_hash: str) -> bool:
    """Whether some event carries this hash; reads the whole table."""
    row = connection.execute("SELECT 1 FROM audit_events WHERE hash = ? LIMIT 1", (event_hash,)).fetchone()
    return row is not None


def _bounded(limit: int) -> int:
    return max(0, min(limit, PAGE_EVENTS_MAX))


def _condition(only: EventFilter, edge: str, sequence: int | None) -> tuple[str, list[object]]:
    """WHERE clause and its values; column names are ours, values are always bound."""
    terms: dict[str, object] = {
        edge: sequence,
        "event_type = ?": only.event_type,
        "entity_type = ?": only.entity_type,
        "entity_id = ?": only.entity_id,
        "actor = ?": only.actor,
    }
    used = {term: value for term, value in terms.items() if value is not None}
    return ("WHERE " + " AND ".join(used) if used else "", list(used.values()))


def _select(connection: Connection, tail: str, values: Sequence[object]) -> list[AuditEvent]:
    return [AuditEvent(*row) for row in _rows(connection, tail, values)]


def _rows(connection: Connection, tail: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(f"SELECT {_COLUMNS} FROM audit_events {tail}", values).fetchall()
    except sqlite.OperationalError as error:
        if "decode" not in str(error).lower():
            raise
        raw = connection.execute(f"SELECT {_RAW_COLUMNS} FROM audit_events {tail}", values).fetchall()
        return [tuple(map(_text_from_raw, row)) for row in raw]


def _text_from_raw(cell: object) -> object:
    """Undecodable bytes become lone surrogates, which no stored text holds, so the hash cannot match."""
    return cell.decode("utf-8", "surrogateescape") if isinstance(cell, bytes) else cell
