"""Waiting for a job: the engine that runs has it, or this command works on it; then its account and exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from dataspine.cli.jobs_shown import JobProgress, job_document, print_job, slice_document
from dataspine.cli.logs import log_to_workspace
from dataspine.cli.output import emit, narrate, say

if TYPE_CHECKING:
    from dataspine.service.desk import Desk
    from dataspine.service.jobs import JobView

FINDINGS, INTERRUPTED = 1, 130
ENGINE_LOG = "engine.jsonl"


def carry_on(
    desk: Desk, job_id: int, *, no_wait: bool, as_json: bool, extra: dict[str, object] | None = None
) -> None:
    """Wait for a job's end, print its account and leave with its exit code; with `no_wait` leave at once.

    Raises: typer.Exit; RequestError, LeaseLost, ConfigError, StorageError.
    """
    from dataspine.service.engine import engine_state, finish_job
    from dataspine.service.jobs import show_job

    if no_wait:
        _say_queued(desk, job_id, is_alive=engine_state(desk).is_alive, as_json=as_json, extra=extra or {})
        return
    log_to_workspace(desk, ENGINE_LOG)
    finish_job(desk, job_id, on_look=JobProgress(desk))
    view, slices = show_job(desk, job_id)
    document = {
        **(extra or {}),
        **job_document(view),
        "slices": [slice_document(piece) for piece in slices],
    }
    emit(as_json, document, lambda: print_job(view, slices))
    raise typer.Exit(exit_code(view))


def exit_code(view: JobView) -> int:
    """0 all done, 1 done with refused records or failed slices, 130 left before the end."""
    if view.job.state in ("queued", "running", "cancelling"):
        return INTERRUPTED
    return int(view.job.state != "succeeded" or view.counts.rejected > 0)


def _say_queued(desk: Desk, job_id: int, *, is_alive: bool, as_json: bool, extra: dict[str, object]) -> None:
    from dataspine.service.jobs import show_job

    view, slices = show_job(desk, job_id)
    document = {**extra, **job_document(view), "slices": [slice_document(piece) for piece in slices]}
    emit(as_json, document, lambda: say(f"Job {job_id} is queued: {view.total} slices of {view.job.source}."))
    if not is_alive:
        narrate(
            f"No engine runs; start one with `dataspine run --mode live`, or `dataspine jobs resume {job_id}`."
        )
