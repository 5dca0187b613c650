"""Jobs and their slices: what is asked for, what is in hand, what came of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dataspine.schemas.job import (
    Job,
    JobKind,
    JobState,
    Lane,
    NewJob,
    Slice,
    SliceCounts,
    SliceResult,
    SliceState,
)

if TYPE_CHECKING:
    from dataspine.store.sqlite import Connection

PAGE_MAX = 1_000
_JOB = (
    "job_id, plan_id, kind, source, lane, state, request_json, actor, channel, created_at_us, started_at_us,"
    " finished_at_us, digest"
)
_COUNTS = ("rows_read", "inserted", "unchanged", "corrected", "rejected", "duplicate")
_SLICE = (
    "job_id, slice_no, partition, why, state, token, attempts, not_before_us, first_try_us, error, is_dead,"
    f" {', '.join(_COUNTS)}, digest, runs_json, started_at_us, finished_at_us"
)
# SQLite takes a partial index only where the query repeats its condition.
_IS_OPEN = "state IN ('queued', 'running', 'paused', 'cancelling')"


def insert(tx: Connection, new: NewJob, *, actor: str, channel: str, now_us: int) -> int:
    """Queue a job with its slices; its number."""
    cursor = tx.execute(
        "INSERT INTO jobs (plan_id, kind, source, lane, request_json, actor, channel, created_at_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (new.plan_id, new.kind, new.source, int(new.lane), new.request_json, actor, channel, now_us),
    )
    job_id = int(cursor.lastrowid or 0)
    tx.executemany(
        f"INSERT INTO job_slices (job_id, slice_no, partition, why) VALUES ({job_id}, ?, ?, ?)",
        [(number, piece.partition, piece.why) for number, piece in enumerate(new.slices, start=1)],
    )
    return job_id


def find(connection: Connection, job_id: int) -> Job | None:
    """One job."""
    row = connection.execute(f"SELECT {_JOB} FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
    return None if row is None else _job(row)


def of_plan(connection: Connection, plan_id: str) -> list[Job]:
    """Jobs of a plan, whose id may be cut short, newest first; more than one plan is the caller's to refuse."""
    rows = connection.execute(
        f"SELECT {_JOB} FROM jobs WHERE plan_id >= ? AND plan_id < ? ORDER BY job_id DESC",
        (plan_id, plan_id + "g"),
    )
    return [_job(row) for row in rows.fetchall()]


def page(
    connection: Connection, *, kind: str | None = None, before: int | None = None, limit: int = 50
) -> list[Job]:
    """Jobs, newest first, from those before a number on."""
    terms = {"kind = ?": kind, "job_id < ?": before}
    used = {term: value for term, value in terms.items() if value is not None}
    where = f"WHERE {' AND '.join(used)}" if used else ""
    rows = connection.execute(
        f"SELECT {_JOB} FROM jobs {where} ORDER BY job_id DESC LIMIT ?",
        (*used.values(), max(1, min(limit, PAGE_MAX))),
    )
    return [_job(row) for row in rows.fetchall()]


def open_jobs(connection: Connection) -> list[Job]:
    """Jobs that are not over, in the order in which they are worked on."""
    rows = connection.execute(f"SELECT {_JOB} FROM jobs WHERE {_IS_OPEN} ORDER BY lane, job_id")
    return [_job(row) for row in rows.fetchall()]


def has_open_live(connection: Connection, source: str) -> bool:
    """Whether a fire of this source is still being dealt with."""
    row = connection.execute(
        f"SELECT 1 FROM jobs WHERE {_IS_OPEN} AND lane = ? AND source = ? LIMIT 1", (int(Lane.LIVE), source)
    ).fetchone()
    return row is not None


def slices(connection: Connection, job_id: int) -> list[Slice]:
    """Slices of a job, in order."""
    rows = connection.execute(
        f"SELECT {_SLICE} FROM job_slices WHERE job_id = ? ORDER BY slice_no", (job_id,)
    )
    return [_slice(row) for row in rows.fetchall()]


def find_slice(connection: Connection, job_id: int, slice_no: int) -> Slice | None:
    """One slice."""
    row = connection.execute(
        f"SELECT {_SLICE} FROM job_slices WHERE job_id = ? AND slice_no = ?", (job_id, slice_no)
    ).fetchone()
    return None if row is None else _slice(row)


def dead(connection: Connection, *, limit: int = 200) -> list[Slice]:
    """Dead tasks, newest job first."""
    rows = connection.execute(
        f"SELECT {_SLICE} FROM job_slices WHERE is_dead = 1 ORDER BY job_id DESC, slice_no LIMIT ?",
        (max(1, min(limit, PAGE_MAX)),),
    )
    return [_slice(row) for row in rows.fetchall()]


def dead_count(connection: Connection) -> int:
    """Dead tasks in all."""
    row = connection.execute("SELECT count(*) FROM job_slices WHERE is_dead = 1").fetchone()
    return int(row[0])


def running(connection: Connection) -> list[Slice]:
    """Slices that some engine has, or had when it died, in hand."""
    rows = connection.execute(
        f"SELECT {_SLICE} FROM job_slices WHERE state = 'running' ORDER BY job_id, slice_no"
    )
    return [_slice(row) for row in rows.fetchall()]


def counts_by_state(connection: Connection, job_id: int) -> dict[SliceState, int]:
    """Slices of a job in each state that any is in."""
    rows = connection.execute(
        "SELECT state, count(*) FROM job_slices WHERE job_id = ? GROUP BY state", (job_id,)
    )
    return {SliceState(state): int(number) for state, number in rows.fetchall()}


def totals(connection: Connection, job_id: int) -> SliceCounts:
    """A job's account: its slices summed."""
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in _COUNTS)
    row = connection.execute(f"SELECT {sums} FROM job_slices WHERE job_id = ?", (job_id,)).fetchone()
    return SliceCounts(*map(int, row))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which slices may be claimed."""

    without: frozenset[str] = frozenset()
    """Sources that may not be asked: another slice of theirs is in hand, or their vendor is left alone."""
    job_id: int | None = None
    """Only slices of this job."""
    last_lane: Lane = Lane.BACKFILL
    """No lane behind this one."""


def due(connection: Connection, wanted: Wanted, *, now_us: int) -> tuple[Job, int] | None:
    """The slice that goes first: by lane, then job, then order; None if nothing may be tried now."""
    marks = ", ".join("?" * len(wanted.without))
    only = "AND job_id = ?" if wanted.job_id is not None else ""
    rows = connection.execute(
        f"SELECT {_JOB}, (SELECT min(slice_no) FROM job_slices s"
        "   WHERE s.job_id = jobs.job_id AND s.state = 'queued' AND s.not_before_us <= ?) AS first"
        f" FROM jobs WHERE {_IS_OPEN} AND state IN ('queued', 'running') AND source NOT IN ({marks})"
        f" AND lane <= ? {only} AND first IS NOT NULL ORDER BY lane, job_id LIMIT 1",
        (now_us, *wanted.without, int(wanted.last_lane), *_only(wanted.job_id)),
    )
    row = rows.fetchone()
    return None if row is None else (_job(row[:-1]), int(row[-1]))


def next_wait_us(connection: Connection, *, now_us: int, job_id: int | None = None) -> int | None:
    """The earliest instant after now at which a waiting slice may be tried; None if none waits."""
    only = "AND j.job_id = ?" if job_id is not None else ""
    row = connection.execute(
        "SELECT min(s.not_before_us) FROM jobs j JOIN job_slices s USING (job_id)"
        " WHERE j.state IN ('queued', 'running', 'paused', 'cancelling') AND j.state IN ('queued', 'running')"
        f" AND s.state = 'queued' AND s.not_before_us > ? {only}",
        (now_us, *_only(job_id)),
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def set_state(
    tx: Connection, job_id: int, state: JobState, *, now_us: int, digest: str | None = None
) -> None:
    """Bring a job to a state; its first running and its end are dated."""
    is_over = state in (JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED)
    tx.execute(
        "UPDATE jobs SET state = ?, started_at_us = CASE WHEN ? THEN coalesce(started_at_us, ?) ELSE started_at_us END,"
        " finished_at_us = ?, digest = ? WHERE job_id = ?",
        (state, state is JobState.RUNNING, now_us, now_us if is_over else None, digest, job_id),
    )


def begin_slice(tx: Connection, job_id: int, slice_no: int, *, token: int, now_us: int) -> None:
    """Put a slice into an engine's hand."""
    tx.execute(
        "UPDATE job_slices SET state = 'running', token = ?, attempts = attempts + 1, started_at_us = ?,"
        " finished_at_us = NULL, first_try_us = coalesce(first_try_us, ?) WHERE job_id = ? AND slice_no = ?",
        (token, now_us, now_us, job_id, slice_no),
    )


def finish_slice(tx: Connection, job_id: int, slice_no: int, result: SliceResult, *, now_us: int) -> None:
    """Close a slice that was done."""
    counts = asdict(result.counts)
    sets = ", ".join(f"{name} = ?" for name in counts)
    tx.execute(
        f"UPDATE job_slices SET state = 'succeeded', error = NULL, is_dead = 0, finished_at_us = ?, digest = ?,"
        f" runs_json = ?, {sets} WHERE job_id = ? AND slice_no = ?",
        (now_us, result.digest, json.dumps(result.runs), *counts.values(), job_id, slice_no),
    )


def defer_slice(
    tx: Connection, job_id: int, slice_no: int, *, error: str, not_before_us: int, now_us: int
) -> None:
    """Put a slice back whose attempt failed, to be tried again later."""
    tx.execute(
        "UPDATE job_slices SET state = 'queued', error = ?, not_before_us = ?, finished_at_us = ?"
        " WHERE job_id = ? AND slice_no = ?",
        (error, not_before_us, now_us, job_id, slice_no),
    )


def give_up_slice(tx: Connection, job_id: int, slice_no: int, *, error: str, now_us: int) -> None:
    """Make a slice a dead task."""
    tx.execute(
        "UPDATE job_slices SET state = 'failed', is_dead = 1, error = ?, finished_at_us = ?"
        " WHERE job_id = ? AND slice_no = ?",
        (error, now_us, job_id, slice_no),
    )


def put_back_slice(tx: Connection, job_id: int, slice_no: int) -> None:
    """Put a slice back that was not tried to its end, through no fault of its source."""
    tx.execute(
        "UPDATE job_slices SET state = 'queued', attempts = max(attempts - 1, 0) WHERE job_id = ? AND slice_no = ?",
        (job_id, slice_no),
    )


def renew_slices(tx: Connection, job_id: int, numbers: Sequence[int]) -> None:
    """Queue slices anew, with all their attempts before them."""
    tx.executemany(
        "UPDATE job_slices SET state = 'queued', attempts = 0, not_before_us = 0, first_try_us = NULL, is_dead = 0"
        " WHERE job_id = ? AND slice_no = ?",
        [(job_id, number) for number in numbers],
    )


def cancel_queued(tx: Connection, job_id: int) -> int:
    """Take back the slices of a job that have not begun; their number."""
    cursor = tx.execute(
        "UPDATE job_slices SET state = 'cancelled' WHERE job_id = ? AND state = 'queued'", (job_id,)
    )
    return int(cursor.rowcount)


def _only(job_id: int | None) -> tuple[int, ...]:
    return () if job_id is None else (job_id,)


def _job(row: tuple[Any, ...]) -> Job:
    job_id, plan_id, kind, source, lane, state, *rest = row
    return Job(job_id, plan_id, JobKind(kind), source, Lane(lane), JobState(state), *rest)


def _slice(row: tuple[Any, ...]) -> Slice:
    job_id, slice_no, partition, why, state, token, attempts, not_before_us, first_try_us, *rest = row
    error, is_dead, *rest = rest
    counts, (digest, runs_json, started_at_us, finished_at_us) = rest[: len(_COUNTS)], rest[len(_COUNTS) :]
    return Slice(
        job_id=job_id,
        slice_no=slice_no,
        partition=partition,
        why=why,
        state=SliceState(state),
        token=token,
        attempts=attempts,
        not_before_us=not_before_us,
        first_try_us=first_try_us,
        error=error,
        is_dead=bool(is_dead),
        counts=SliceCounts(*counts),
        digest=digest,
        runs=tuple(json.loads(runs_json)),
        started_at_us=started_at_us,
        finished_at_us=finished_at_us,
    )
