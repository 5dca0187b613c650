"""Jobs for front ends: what is asked for, how far it is, what was given up; and the verbs on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataspine.errors import RequestError

if TYPE_CHECKING:
    from dataspine.schemas.job import Job, Slice, SliceCounts, SliceState
    from dataspine.service.desk import Desk


@dataclass(frozen=True, slots=True)
class JobView:
    """A job and how far it is."""

    job: Job
    slices: dict[SliceState, int]
    """Slices in each state that any is in."""
    counts: SliceCounts

    @property
    def total(self) -> int:
        """Slices in all."""
        return sum(self.slices.values())


@dataclass(frozen=True, slots=True)
class DeadTask:
    """A slice that was given up."""

    job: Job
    slice: Slice


def list_jobs(
    desk: Desk, *, kind: str | None = None, before: int | None = None, limit: int = 50
) -> list[JobView]:
    """Jobs, newest first.

    Raises: StorageError if there is no database.
    """
    from dataspine.store import jobs

    with desk.reading() as database:
        connection = database.connection
        return [
            JobView(job, jobs.counts_by_state(connection, job.job_id), jobs.totals(connection, job.job_id))
            for job in jobs.page(connection, kind=kind, before=before, limit=limit)
        ]


def show_job(desk: Desk, job_id: int) -> tuple[JobView, list[Slice]]:
    """A job and its slices.

    Raises: RequestError if there is no such job; StorageError.
    """
    from dataspine.engine.requests import found
    from dataspine.store import jobs

    with desk.reading() as database:
        connection = database.connection
        job = found(connection, job_id)
        view = JobView(job, jobs.counts_by_state(connection, job_id), jobs.totals(connection, job_id))
        return view, jobs.slices(connection, job_id)


def dead_tasks(desk: Desk, *, limit: int = 200) -> list[DeadTask]:
    """Slices that were given up and that nobody has retried, newest job first."""
    from dataspine.engine.requests import found
    from dataspine.store import jobs

    with desk.reading() as database:
        return [
            DeadTask(found(database.connection, piece.job_id), piece)
            for piece in jobs.dead(database.connection, limit=limit)
        ]


def job_of(desk: Desk, name: str) -> int:
    """Number of the job that an operator names by its number, or by the id of its plan.

    Raises: RequestError if there is none.
    """
    from dataspine.service.backfill import ID_CHARS_MIN
    from dataspine.store import jobs

    # A plan's id may begin with digits; a job's number never has as many.
    if name.isascii() and name.isdigit() and len(name) < ID_CHARS_MIN * 2:
        return int(name)
    with desk.reading() as database:
        found = jobs.of_plan(database.connection, name) if len(name) >= ID_CHARS_MIN else []
    if not found or len({job.plan_id for job in found}) > 1:
        what = "several plans have ids that begin so" if found else "there is no such job"
        raise RequestError(what, found=name, cure="`dataspine jobs list` names them")
    return found[0].job_id


def pause_job(desk: Desk, job_id: int) -> Job:
    """Let no further slice of a job begin. Raises: RequestError."""
    from dataspine.engine import requests

    with desk.acting() as spine:
        return requests.pause(spine, job_id)


def resume_job(desk: Desk, job_id: int) -> Job:
    """Let a paused job go on. Raises: RequestError."""
    from dataspine.engine import requests

    with desk.acting() as spine:
        return requests.resume(spine, job_id)


def cancel_job(desk: Desk, job_id: int) -> Job:
    """Take a job back; a slice in hand finishes. Raises: RequestError."""
    from dataspine.engine import requests

    with desk.acting() as spine:
        return requests.cancel(spine, job_id)


def retry_job(desk: Desk, job_id: int, slice_no: int | None = None) -> int:
    """Queue failed and cancelled slices of a job anew, or one slice; how many. Raises: RequestError."""
    from dataspine.engine import requests

    with desk.acting() as spine:
        return requests.retry(spine, job_id, slice_no)
