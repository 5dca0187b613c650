"""Occurrences: every instant at which a source was due, and what became of it; the key lets each run once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataspine.schemas.job import OccurrenceState

if TYPE_CHECKING:
    from dataspine.store.sqlite import Connection


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One instant at which a source was due."""

    source: str
    planned_us: int
    state: OccurrenceState
    seen_us: int
    """When the engine dealt with it."""
    job_id: int | None = None


def insert(tx: Connection, occurrence: Occurrence) -> bool:
    """Note an occurrence; False if it was dealt with before."""
    cursor = tx.execute(
        "INSERT OR IGNORE INTO occurrences (source, planned_us, state, seen_us, job_id) VALUES (?, ?, ?, ?, ?)",
        (
            occurrence.source,
            occurrence.planned_us,
            occurrence.state,
            occurrence.seen_us,
            occurrence.job_id,
        ),
    )
    return int(cursor.rowcount) == 1


def is_known(connection: Connection, source: str, planned_us: int) -> bool:
    """Whether this instant was dealt with."""
    row = connection.execute(
        "SELECT 1 FROM occurrences WHERE source = ? AND planned_us = ?", (source, planned_us)
    ).fetchone()
    return row is not None


def newest(connection: Connection, source: str) -> Occurrence | None:
    """The latest instant of a source that was dealt with."""
    found = page(connection, source=source, limit=1)
    return found[0] if found else None


def page(connection: Connection, *, source: str, limit: int = 50) -> list[Occurrence]:
    """Occurrences of a source, newest first."""
    rows = connection.execute(
        "SELECT source, planned_us, state, seen_us, job_id FROM occurrences WHERE source = ?"
        " ORDER BY planned_us DESC LIMIT ?",
        (source, limit),
    )
    return [
        Occurrence(name, planned_us, OccurrenceState(state), seen_us, job_id)
        for name, planned_us, state, seen_us, job_id in rows.fetchall()
    ]


def save_next(tx: Connection, source: str, planned_us: int | None) -> None:
    """Keep when a source is due next; None where it never is again."""
    tx.execute("DELETE FROM next_fires WHERE source = ?", (source,))
    if planned_us is not None:
        tx.execute("INSERT INTO next_fires (source, planned_us) VALUES (?, ?)", (source, planned_us))


def next_fires(connection: Connection) -> dict[str, int]:
    """When each source is due next, the first one first, as the engine saw it last."""
    rows = connection.execute("SELECT source, planned_us FROM next_fires ORDER BY planned_us, source")
    return {source: int(planned_us) for source, planned_us in rows.fetchall()}
