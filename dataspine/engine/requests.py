"""What operators ask of jobs: queue, pause, resume, cancel, retry; small transactions from any process, audited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataspine.engine.jobs import set_job_state, settle
from dataspine.errors import RequestError
from dataspine.schemas.audit_event import EventType, NewEvent
from dataspine.schemas.job import Job, JobState, NewJob, SliceState
from dataspine.store import jobs

if TYPE_CHECKING:
    from dataspine.pipeline.spine import Spine
    from dataspine.store.sqlite import Connection

_SEE_JOBS = "`dataspine jobs list` names them"
_RENEWABLE = (SliceState.FAILED, SliceState.CANCELLED)


def queue(spine: Spine, tx: Connection, new: NewJob) -> int:
    """Queue a job in the transaction at hand; its number."""
    job_id = jobs.insert(
        tx, new, actor=spine.actor.name, channel=str(spine.actor.channel), now_us=spine.clock.now_us()
    )
    metadata = {
        "source": new.source,
        "kind": str(new.kind),
        "plan_id": new.plan_id,
        "slices": len(new.slices),
        "lane": new.lane.name.lower(),
    }
    spine.record(tx, NewEvent(EventType.JOB_QUEUED, "job", str(job_id), None, JobState.QUEUED, metadata))
    return job_id


def pause(spine: Spine, job_id: int) -> Job:
    """Let no further slice of a job begin; the job as it then stands.

    Raises: RequestError if there is no such job, or it is not queued or running.
    """
    with spine.workspace.database.transaction() as tx:
        job = found(tx, job_id)
        _require(job, (JobState.QUEUED, JobState.RUNNING), "paused")
        set_job_state(spine, tx, job, JobState.PAUSED, EventType.JOB_PAUSED)
        return found(tx, job_id)


def resume(spine: Spine, job_id: int) -> Job:
    """Let a paused job go on; the job as it then stands.

    Raises: RequestError if there is no such job, or it is not paused.
    """
    with spine.workspace.database.transaction() as tx:
        job = found(tx, job_id)
        _require(job, (JobState.PAUSED,), "resumed")
        state = JobState.QUEUED if job.started_at_us is None else JobState.RUNNING
        set_job_state(spine, tx, job, state, EventType.JOB_RESUMED)
        settle(spine, tx, job_id)
        return found(tx, job_id)


def cancel(spine: Spine, job_id: int) -> Job:
    """Take a job back: slices that have not begun go, one in hand finishes; the job as it then stands.

    Raises: RequestError if there is no such job, or it is over.
    """
    with spine.workspace.database.transaction() as tx:
        job = found(tx, job_id)
        _require(job, (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED), "cancelled")
        dropped = jobs.cancel_queued(tx, job_id)
        metadata: dict[str, object] = {"slices_cancelled": dropped}
        set_job_state(spine, tx, job, JobState.CANCELLING, EventType.JOB_CANCEL_ASKED, metadata)
        settle(spine, tx, job_id)
        return found(tx, job_id)


def retry(spine: Spine, job_id: int, slice_no: int | None = None) -> int:
    """Queue failed and cancelled slices of a job anew, or one slice whatever became of it; how many.

    Raises: RequestError if there is no such job or slice, it has none of them, or is being cancelled.
    """
    with spine.workspace.database.transaction() as tx:
        job = found(tx, job_id)
        _require(job, tuple(state for state in JobState if state is not JobState.CANCELLING), "retried")
        renewed = _renewable(tx, job_id, slice_no)
        jobs.renew_slices(tx, job_id, renewed)
        state = job.state if job.state is JobState.PAUSED else JobState.RUNNING
        metadata: dict[str, object] = {"slices": renewed}
        set_job_state(spine, tx, job, state, EventType.JOB_RETRIED, metadata)
    return len(renewed)


def found(tx: Connection, job_id: int) -> Job:
    """A job that must exist.

    Raises: RequestError if it does not.
    """
    job = jobs.find(tx, job_id)
    if job is None:
        raise RequestError("there is no such job", found=job_id, cure=_SEE_JOBS)
    return job


def _renewable(tx: Connection, job_id: int, slice_no: int | None) -> list[int]:
    pieces = jobs.slices(tx, job_id)
    if slice_no is None:
        numbers = [piece.slice_no for piece in pieces if piece.state in _RENEWABLE]
    else:
        numbers = [
            piece.slice_no
            for piece in pieces
            if piece.slice_no == slice_no and piece.state not in (SliceState.QUEUED, SliceState.RUNNING)
        ]
    if not numbers:
        what = "this job has no slice to retry" if slice_no is None else "this slice cannot be retried"
        raise RequestError(
            what,
            found="none failed or cancelled" if slice_no is None else f"slice {slice_no}",
            where=f"job {job_id}",
            cure="`dataspine jobs show` tells the state of each",
        )
    return numbers


def _require(job: Job, states: tuple[JobState, ...], what: str) -> None:
    if job.state not in states:
        raise RequestError(
            f"this job cannot be {what}",
            found=str(job.state),
            where=f"job {job.job_id}",
            cure=f"It could be if it were {' or '.join(states)}",
        )
