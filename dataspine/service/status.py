"""Status: every source with its counters, the one that needs somebody most on top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataspine.store import status

if TYPE_CHECKING:
    from dataspine.service.desk import Desk
    from dataspine.store.status import RecentRun, SourceRow

LOST = "lost"
"""Shown of a running run whose process is gone; the next ingest of its source takes it back."""
GLYPHS = {
    "succeeded": ".",
    "with_rejects": "o",
    "running": ">",
    "rejected": "X",
    "interrupted": "!",
    LOST: "!",
}
"""One character a run, ASCII, so that the line reads in any terminal and any file."""
_URGENCY = (LOST, "interrupted", "rejected", "with_rejects", "running", "succeeded")


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """Where one source stands."""

    source: str
    kind: str
    state: str
    """Of the newest run: lost, interrupted, rejected, with_rejects, running or succeeded."""
    last_run_id: int
    last_run_at_us: int
    """When the newest run ended, or began where it has not."""
    rows_stored: int
    rows_read: int
    """By all runs, repeats of a payload included."""
    rejected: int
    open_letters: int
    runs: int
    recent: str
    """The newest twelve runs, newest last, one of `GLYPHS` each."""

    @property
    def ok_pct(self) -> float | None:
        """Share of the records read that were not refused; None where none was read."""
        return _ok_pct(self.rows_read, self.rejected)


@dataclass(frozen=True, slots=True)
class Status:
    """Where everything stands."""

    at_us: int
    sources: tuple[SourceStatus, ...]
    """Worst first."""

    @property
    def ok_pct(self) -> float | None:
        """Share of all records read that were not refused; None where none was read."""
        return _ok_pct(self.total("rows_read"), self.total("rejected"))

    def total(self, counter: str) -> int:
        """A counter summed over the sources."""
        return sum(int(getattr(source, counter)) for source in self.sources)


def status_of(desk: Desk) -> Status:
    """Every source that was ever ingested from.

    Raises: StorageError if there is no database; StorageCorrupt.
    """
    with desk.reading() as database:
        rows = status.source_rows(database)
    found = [_source_status(desk, row) for row in rows if row.recent]
    return Status(desk.clock.now_us(), tuple(sorted(found, key=_urgency)))


def _source_status(desk: Desk, row: SourceRow) -> SourceStatus:
    is_lost = row.recent[-1].state == "running" and not status.is_source_busy(desk.home, row.source)
    states = [_state(run) for run in row.recent[:-1]]
    states.append(LOST if is_lost else _state(row.recent[-1]))
    newest = row.recent[-1]
    return SourceStatus(
        source=row.source,
        kind=row.kind,
        state=states[-1],
        last_run_id=newest.run_id,
        last_run_at_us=newest.started_at_us if newest.finished_at_us is None else newest.finished_at_us,
        rows_stored=row.rows_stored,
        rows_read=row.rows_read,
        rejected=row.rejected,
        open_letters=row.open_letters,
        runs=row.runs,
        recent="".join(GLYPHS[state] for state in states),
    )


def _state(run: RecentRun) -> str:
    return "with_rejects" if run.state == "succeeded" and run.rejected else run.state


def _urgency(source: SourceStatus) -> tuple[int, int, str]:
    return _URGENCY.index(source.state), -source.open_letters, source.source


def _ok_pct(rows_read: int, rejected: int) -> float | None:
    return 100 * (rows_read - rejected) / rows_read if rows_read else None
