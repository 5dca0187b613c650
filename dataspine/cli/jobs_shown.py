"""Jobs as commands show them: the documents of `--json`, tables for people, and progress while one is waited for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from dataspine.cli.output import count, narrate, say, say_line, table
from dataspine.clock import iso_from_us

if TYPE_CHECKING:
    from dataspine.schemas.job import Job, Slice
    from dataspine.service.desk import Desk
    from dataspine.service.jobs import DeadTask, JobView

SLICES_SHOWN = 60
DIGEST_CHARS = 12


def job_document(view: JobView) -> dict[str, object]:
    """One job with its account."""
    job = view.job
    return {
        "job_id": job.job_id,
        "plan_id": job.plan_id,
        "kind": str(job.kind),
        "source": job.source,
        "lane": job.lane.name.lower(),
        "state": str(job.state),
        "slice_states": {str(state): number for state, number in view.slices.items()},
        **asdict(view.counts),
        "digest": job.digest,
        "actor": job.actor,
        "created_at": iso_from_us(job.created_at_us),
        "started_at": _instant(job.started_at_us),
        "finished_at": _instant(job.finished_at_us),
    }


def slice_document(piece: Slice) -> dict[str, object]:
    """One slice with its account."""
    return {
        "slice": piece.slice_no,
        "partition": piece.partition,
        "why": piece.why,
        "state": str(piece.state),
        "attempts": piece.attempts,
        "not_before": _instant(piece.not_before_us or None),
        "error": piece.error,
        "is_dead": piece.is_dead,
        **asdict(piece.counts),
        "digest": piece.digest,
        "runs": list(piece.runs),
    }


def dead_document(task: DeadTask) -> dict[str, object]:
    """One dead task."""
    return {"job_id": task.job.job_id, "source": task.job.source, **slice_document(task.slice)}


def print_jobs(views: Sequence[JobView]) -> None:
    """One line a job, newest first."""
    if not views:
        say("No jobs.")
        return
    rows = [
        (
            view.job.job_id,
            view.job.kind,
            view.job.source,
            view.job.state,
            progress_text(view),
            count(view.counts.rows_read),
            count(view.counts.rejected),
            iso_from_us(view.job.created_at_us)[:19] + "Z",
        )
        for view in views
    ]
    table("Jobs", ["job", "kind", "source", "state", "slices", "read", "rejected", "asked for"], rows)


def print_job(view: JobView, slices: Sequence[Slice]) -> None:
    """A job and its slices, the unfinished and failed ones first where there are many."""
    job, counts = view.job, view.counts
    say_line(f"Job {job.job_id}, {job.kind} of {job.source}: {job.state}, {progress_text(view)} slices")
    say_line(f"Plan      {job.plan_id}")
    if job.digest:
        say_line(f"Digest    {job.digest}")
    say_line(
        f"Records   {count(counts.rows_read)} read, {count(counts.inserted)} inserted,"
        f" {count(counts.unchanged)} unchanged, {count(counts.corrected)} corrected,"
        f" {count(counts.rejected)} rejected, {count(counts.duplicate)} duplicate"
    )
    shown = sorted(slices, key=lambda piece: (piece.state == "succeeded", piece.slice_no))[:SLICES_SHOWN]
    rows = [
        (
            piece.slice_no,
            piece.partition,
            piece.why,
            piece.state,
            piece.attempts,
            count(piece.counts.rows_read),
            (piece.digest or "")[:DIGEST_CHARS] if piece.error is None else piece.error,
        )
        for piece in shown
    ]
    columns = ["slice", "partition", "why", "state", "tries", "read", "digest or error"]
    table("Slices", columns, rows)
    if len(slices) > len(shown):
        say(f"and {count(len(slices) - len(shown))} more; --json has them all")


def print_dead(tasks: Sequence[DeadTask]) -> None:
    """One line a dead task."""
    if not tasks:
        say("No dead tasks.")
        return
    rows = [
        (
            f"{task.job.job_id}/{task.slice.slice_no}",
            task.job.source,
            task.slice.partition,
            task.slice.attempts,
            task.slice.error,
        )
        for task in tasks
    ]
    table("Dead tasks; run one again with `dataspine jobs retry TASK`", _DEAD_COLUMNS, rows)


def progress_text(view: JobView) -> str:
    """How many of a job's slices are done, and how many were given up: `12/250`, `249/250, 1 failed`."""
    done = sum(number for state, number in view.slices.items() if state == "succeeded")
    failed = sum(number for state, number in view.slices.items() if state == "failed")
    return f"{done}/{view.total}" + (f", {failed} failed" if failed else "")


class JobProgress:
    """Says on a terminal's stderr how far a job is, whenever that has changed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._said = ""

    def __call__(self, job: Job) -> None:
        if not sys.stderr.isatty():
            return
        from dataspine.service.jobs import show_job

        text = progress_text(show_job(self._desk, job.job_id)[0])
        if text != self._said:
            self._said = text
            narrate(f"{job.source}: {text}")


_DEAD_COLUMNS = ["task", "source", "partition", "tries", "error"]


def _instant(instant_us: int | None) -> str | None:
    return None if instant_us is None else iso_from_us(instant_us)
