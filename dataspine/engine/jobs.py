"""Jobs in the engine's hand: a slice is claimed, closed, deferred, given up or put back, each in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from dataspine.errors import DataspineError
from dataspine.schemas.audit_event import EventType, NewEvent
from dataspine.schemas.job import Job, JobState, Slice, SliceState
from dataspine.store import jobs
from dataspine.store.jobs import Wanted

if TYPE_CHECKING:
    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.job import SliceResult
    from dataspine.store.sqlite import Connection

US_PER_S = 1_000_000
ENDED = {
    JobState.SUCCEEDED: EventType.JOB_SUCCEEDED,
    JobState.FAILED: EventType.JOB_FAILED,
    JobState.CANCELLED: EventType.JOB_CANCELLED,
}
"""The event of each state in which a job is over."""


@dataclass(frozen=True, slots=True)
class Task:
    """A slice in an engine's hand."""

    job: Job
    slice: Slice

    @property
    def source(self) -> str:
        """Name of the source that it reads."""
        return self.job.source

    @property
    def entity_id(self) -> str:
        """Its name in the audit log."""
        return slice_name(self.job.job_id, self.slice.slice_no)


@dataclass(frozen=True, slots=True)
class Setback:
    """An attempt that failed, and what is to become of its slice."""

    error: DataspineError
    delay_s: float | None
    """How long to wait before the next attempt; None to give up."""


def slice_name(job_id: int, slice_no: int) -> str:
    """A slice as people and the audit log write it: `12/3`."""
    return f"{job_id}/{slice_no}"


def claim(
    spine: Spine, wanted: Wanted, *, token: int, also: Callable[[Connection, str], None]
) -> Task | None:
    """Take the slice that goes first; None if nothing may be tried now. `also` runs with its source.

    Raises: LeaseLost, BusyError, StorageError.
    """
    # Looking costs no transaction, and most looks find nothing.
    if jobs.due(spine.workspace.database.connection, wanted, now_us=spine.clock.now_us()) is None:
        return None
    with spine.workspace.database.transaction() as tx:
        now_us = spine.clock.now_us()
        found = jobs.due(tx, wanted, now_us=now_us)
        if found is None:
            return None
        job, slice_no = found
        also(tx, job.source)
        if job.state is JobState.QUEUED:
            set_job_state(spine, tx, job, JobState.RUNNING, EventType.JOB_STARTED)
        jobs.begin_slice(tx, job.job_id, slice_no, token=token, now_us=now_us)
        claimed = jobs.find_slice(tx, job.job_id, slice_no)
        if claimed is None:
            raise AssertionError("a slice is never deleted")
        task = Task(job, claimed)
        metadata = {
            "source": job.source,
            "partition": claimed.partition,
            "attempt": claimed.attempts,
            "token": token,
        }
        _record(spine, tx, task, EventType.SLICE_STARTED, SliceState.RUNNING, metadata)
    return task


def succeed(spine: Spine, task: Task, result: SliceResult, *, also: Callable[[Connection], None]) -> None:
    """Close a slice that was done, and its job if that was the last; `also` runs in the same transaction."""
    with spine.workspace.database.transaction() as tx:
        jobs.finish_slice(tx, task.job.job_id, task.slice.slice_no, result, now_us=spine.clock.now_us())
        metadata = {
            "source": task.source,
            "partition": task.slice.partition,
            "digest": result.digest,
            "runs": list(result.runs),
            "rows_read": result.counts.rows_read,
            "rejected": result.counts.rejected,
        }
        _record(spine, tx, task, EventType.SLICE_SUCCEEDED, SliceState.SUCCEEDED, metadata)
        also(tx)
        settle(spine, tx, task.job.job_id)


def fail(spine: Spine, task: Task, setback: Setback, *, also: Callable[[Connection], None]) -> None:
    """Let a slice wait for its next attempt, or make it a dead task; `also` runs in the same transaction."""
    job_id, slice_no, text = task.job.job_id, task.slice.slice_no, str(setback.error)
    with spine.workspace.database.transaction() as tx:
        now_us = spine.clock.now_us()
        metadata: dict[str, object] = {
            "source": task.source,
            "partition": task.slice.partition,
            "attempt": task.slice.attempts,
            "error": text,
        }
        if setback.delay_s is None:
            jobs.give_up_slice(tx, job_id, slice_no, error=text, now_us=now_us)
            event, state = EventType.SLICE_FAILED, SliceState.FAILED
        else:
            not_before_us = now_us + round(setback.delay_s * US_PER_S)
            jobs.defer_slice(tx, job_id, slice_no, error=text, not_before_us=not_before_us, now_us=now_us)
            event, state = EventType.SLICE_DEFERRED, SliceState.QUEUED
            metadata["not_before_us"] = not_before_us
        _record(spine, tx, task, event, state, metadata)
        also(tx)
        _cancel_rest(tx, job_id)
        settle(spine, tx, job_id)


def put_back(spine: Spine, task: Task, *, why: str) -> None:
    """Put a slice back that could not be tried to its end; the attempt does not count."""
    with spine.workspace.database.transaction() as tx:
        _put_back(spine, tx, task, why)


def put_back_lost(spine: Spine, tx: Connection, *, in_hand: Collection[tuple[int, int]], why: str) -> int:
    """Put every running slice back that nobody has in hand, in the transaction at hand; their number."""
    lost = [piece for piece in jobs.running(tx) if (piece.job_id, piece.slice_no) not in in_hand]
    for piece in lost:
        job = jobs.find(tx, piece.job_id)
        if job is not None:
            _put_back(spine, tx, Task(job, piece), why)
    return len(lost)


def settle(spine: Spine, tx: Connection, job_id: int) -> None:
    """End a job of which no slice is left to be done."""
    counts = jobs.counts_by_state(tx, job_id)
    job = jobs.find(tx, job_id)
    if job is None or job.state in ENDED or counts.keys() & {SliceState.QUEUED, SliceState.RUNNING}:
        return
    if job.state is JobState.CANCELLING or (
        SliceState.CANCELLED in counts and SliceState.FAILED not in counts
    ):
        state = JobState.CANCELLED
    elif SliceState.FAILED in counts:
        state = JobState.FAILED
    else:
        state = JobState.SUCCEEDED
    digest = job_digest(jobs.slices(tx, job_id)) if state is JobState.SUCCEEDED else None
    metadata = {str(name): number for name, number in counts.items()}
    set_job_state(spine, tx, job, state, ENDED[state], {"slices": metadata, "digest": digest})


def job_digest(slices: Collection[Slice]) -> str:
    """SHA-256 over the slices' digests in order: the same content gives the same one at any concurrency."""
    return sha256("\n".join(piece.digest or "" for piece in slices).encode()).hexdigest()


def set_job_state(
    spine: Spine,
    tx: Connection,
    job: Job,
    state: JobState,
    event: EventType,
    metadata: dict[str, object] | None = None,
) -> None:
    """Bring a job to another state, and write that down."""
    about = {"source": job.source, "kind": str(job.kind), "plan_id": job.plan_id, **(metadata or {})}
    digest = about.get("digest")
    jobs.set_state(
        tx, job.job_id, state, now_us=spine.clock.now_us(), digest=None if digest is None else str(digest)
    )
    spine.record(tx, NewEvent(event, "job", str(job.job_id), job.state, state, about))


def _put_back(spine: Spine, tx: Connection, task: Task, why: str) -> None:
    jobs.put_back_slice(tx, task.job.job_id, task.slice.slice_no)
    metadata: dict[str, object] = {
        "source": task.source,
        "partition": task.slice.partition,
        "why": why,
    }
    _record(spine, tx, task, EventType.SLICE_PUT_BACK, SliceState.QUEUED, metadata)
    _cancel_rest(tx, task.job.job_id)
    settle(spine, tx, task.job.job_id)


def _cancel_rest(tx: Connection, job_id: int) -> None:
    """A slice that goes back to a job which is being cancelled goes no further."""
    job = jobs.find(tx, job_id)
    if job is not None and job.state is JobState.CANCELLING:
        jobs.cancel_queued(tx, job_id)


def _record(
    spine: Spine,
    tx: Connection,
    task: Task,
    event: EventType,
    new: SliceState,
    metadata: dict[str, object],
) -> None:
    old = SliceState.QUEUED if new is SliceState.RUNNING else SliceState.RUNNING
    spine.record(tx, NewEvent(event, "slice", task.entity_id, old, new, metadata))
