"""Where every source stands, from counters and the ends of indexes: no table of rows is counted."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from dataspine.store.database import Database

RECENT_RUNS = 12


@dataclass(frozen=True, slots=True)
class RecentRun:
    """A run as the line of newest runs shows it."""

    run_id: int
    state: str
    rows_read: int
    rejected: int
    started_at_us: int
    finished_at_us: int | None


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source's counters and its newest runs."""

    source: str
    kind: str
    rows_stored: int
    open_letters: int
    runs: int
    rows_read: int
    rejected: int
    recent: tuple[RecentRun, ...]
    """Newest last, at most twelve."""


def source_rows(database: Database) -> list[SourceRow]:
    """Every source that was ever ingested from, by name."""
    kept = database.rows("SELECT source_id, name, kind, rows_stored, open_letters FROM sources ORDER BY name")
    sums = {
        row[0]: row[1:]
        for row in database.rows(
            "SELECT source_id, count(*), sum(rows_read), sum(rejected) FROM runs GROUP BY source_id"
        )
    }
    return [
        SourceRow(*(*row, *sums.get(source_id, (0, 0, 0)), _recent(database, source_id)))
        for source_id, *row in kept
    ]


def is_source_busy(home: Path, source: str) -> bool:
    """Whether some process holds the source's lock: the system frees it when its holder dies."""
    try:
        descriptor = os.open(home / "locks" / f"{source}.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _recent(database: Database, source_id: Any) -> tuple[RecentRun, ...]:
    rows = database.rows(
        "SELECT run_id, state, rows_read, rejected, started_at_us, finished_at_us FROM runs"
        " WHERE source_id = ? ORDER BY run_id DESC LIMIT ?",
        (source_id, RECENT_RUNS),
    )
    return tuple(RecentRun(*row) for row in reversed(rows))
