"""Work at a glance: whether an engine lives, what it has to do, and when each source is due next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataspine.service.engine import engine_state
from dataspine.store import jobs, occurrences, source_health

if TYPE_CHECKING:
    from dataspine.schemas.job import Job, SourceHealth
    from dataspine.service.desk import Desk
    from dataspine.service.engine import EngineState


@dataclass(frozen=True, slots=True)
class Work:
    """What goes on in a workspace."""

    engine: EngineState
    jobs: tuple[Job, ...]
    """Those that are not over, in the order in which they are worked on."""
    next_fires_us: dict[str, int]
    """When each source is due next, the first one first."""
    unwell: tuple[SourceHealth, ...]
    """Sources that are degraded or failed."""
    dead_tasks: int


def work_of(desk: Desk) -> Work:
    """What goes on.

    Raises: StorageError if there is no database; StorageCorrupt.
    """
    engine = engine_state(desk)
    with desk.reading() as database:
        connection = database.connection
        return Work(
            engine,
            tuple(jobs.open_jobs(connection)),
            occurrences.next_fires(connection),
            tuple(health for health in source_health.every(connection) if health.state != "ok"),
            jobs.dead_count(connection),
        )
