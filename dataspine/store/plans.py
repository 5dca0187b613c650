"""Plans of backfills, frozen when they were made, and what the store has of the sessions that they are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataspine.schemas.job import SliceState

if TYPE_CHECKING:
    from dataspine.store.sqlite import Connection


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan as it was kept."""

    plan_id: str
    source: str
    request_json: str
    plan_json: str


@dataclass(frozen=True, slots=True)
class PastSlice:
    """The newest slice of a backfill for one partition."""

    partition: str
    job_id: int
    state: SliceState
    rows_read: int
    digest: str | None


def insert(tx: Connection, plan: StoredPlan, *, now_us: int) -> bool:
    """Keep a plan; False if it was kept before."""
    cursor = tx.execute(
        "INSERT OR IGNORE INTO plans (plan_id, source, request_json, plan_json, created_at_us)"
        " VALUES (?, ?, ?, ?, ?)",
        (plan.plan_id, plan.source, plan.request_json, plan.plan_json, now_us),
    )
    return int(cursor.rowcount) == 1


def find(connection: Connection, plan_id: str) -> list[StoredPlan]:
    """Plans whose id begins so; two at most, for more than one is the caller's to refuse."""
    rows = connection.execute(
        "SELECT plan_id, source, request_json, plan_json FROM plans WHERE plan_id >= ? AND plan_id < ? LIMIT 2",
        (plan_id, plan_id + "g"),
    )
    return [StoredPlan(*row) for row in rows.fetchall()]


def past_slices(connection: Connection, source: str, first: str, last: str) -> list[PastSlice]:
    """The newest ended slice of each partition between two dates; shadows wrote nothing and do not count."""
    # A job's request is read once for the job, not once for each of its slices.
    rows = connection.execute(
        "WITH real AS MATERIALIZED (SELECT job_id FROM jobs WHERE source = ? AND kind = 'backfill'"
        "   AND request_json ->> '$.mode' <> 'shadow')"
        " SELECT s.partition, max(s.job_id), s.state, s.rows_read, s.digest FROM real JOIN job_slices s USING (job_id)"
        " WHERE s.partition BETWEEN ? AND ? AND s.state IN ('succeeded', 'failed')"
        " GROUP BY s.partition ORDER BY s.partition",
        (source, first, last),
    )
    return [
        PastSlice(partition, int(job_id), SliceState(state), int(rows_read), digest)
        for partition, job_id, state, rows_read, digest in rows.fetchall()
    ]
