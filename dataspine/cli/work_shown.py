"""Work at a glance as `status` shows it: a few lines under the sources, and keys of the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataspine.clock import iso_from_us
from dataspine.inert_text import inert_text

if TYPE_CHECKING:
    from dataspine.service.work import Work

SHOWN = 3
"""Jobs, fires and sources that are named one by one."""


def work_document(work: Work) -> dict[str, object]:
    """Keys beside those of the sources."""
    lease = work.engine.lease
    return {
        "engine": {
            "is_alive": work.engine.is_alive,
            "owner": lease.owner or None if lease else None,
            "heartbeat_at": iso_from_us(lease.heartbeat_us) if lease else None,
        },
        "jobs": [
            {"job_id": job.job_id, "kind": str(job.kind), "source": job.source, "state": str(job.state)}
            for job in work.jobs
        ],
        "next": {source: iso_from_us(planned_us) for source, planned_us in work.next_fires_us.items()},
        "health": {health.source: str(health.state) for health in work.unwell},
        "dead_tasks": work.dead_tasks,
    }


def work_text(work: Work, *, width: int) -> str:
    """A line for the engine, and one for everything that there is besides."""
    parts = [("engine", _engine(work))]
    if work.next_fires_us and work.engine.is_alive:
        fires = [f"{source} {iso_from_us(at_us)[5:16]}Z" for source, at_us in work.next_fires_us.items()]
        parts.append(("next", _some(fires)))
    if work.jobs:
        parts.append(("jobs", _some([f"{job.job_id} {job.source} {job.state}" for job in work.jobs])))
    if work.unwell:
        parts.append(("health", _some([f"{one.source} {one.state}" for one in work.unwell])))
    if work.dead_tasks:
        parts.append(("dead", f"{work.dead_tasks:,} tasks; see `dataspine jobs list --dead`"))
    return "\n".join(inert_text(f"{name:<7}{text}", limit=width) for name, text in parts)


def _engine(work: Work) -> str:
    lease, age_s = work.engine.lease, work.engine.beat_age_s
    if lease is None or not lease.owner:
        return "none runs"
    if work.engine.is_alive:
        return f"{lease.owner}, alive {age_s or 0:.0f} s ago"
    return f"{lease.owner} has died or stands still, last seen {age_s or 0:,.0f} s ago"


def _some(texts: list[str]) -> str:
    more = len(texts) - SHOWN
    return ", ".join(texts[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")
