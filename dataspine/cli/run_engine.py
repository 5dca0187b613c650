"""`dataspine run` with the engine: live until a signal stops it, or a backfill of several sources to its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dataspine.cli.backfill import plan_document, print_plan
from dataspine.cli.job_wait import ENGINE_LOG, exit_code
from dataspine.cli.jobs_shown import JobProgress, job_document, print_jobs
from dataspine.cli.logs import log_to_workspace
from dataspine.cli.output import emit, emit_line, narrate, say_line
from dataspine.errors import RequestError

if TYPE_CHECKING:
    from dataspine.scheduling.plan import Plan
    from dataspine.service.desk import Desk


def run_live(desk: Desk, *, schedule: str | None, audit_log: Path | None, as_json: bool) -> None:
    """Work on schedules and jobs until SIGINT or SIGTERM.

    Raises: BusyError if another engine runs here; LeaseLost, ConfigError, StorageError.
    """
    from dataspine.service.engine import run_engine

    log_to_workspace(desk, ENGINE_LOG)
    if not as_json:
        narrate(f"engine in {desk.home}; Ctrl-C stops it, twice at once")
    end = run_engine(desk, schedule=schedule, audit_log=audit_log)
    worst_ms = round(end.worst_stall_s * 1000, 1)
    document = {"token": end.token, "worst_stall_ms": worst_ms, "abandoned": end.abandoned}
    if as_json:
        emit_line(document)
    else:
        say_line(f"Stopped; the event loop was never held up longer than {worst_ms} ms.")
    if end.abandoned:
        # A thread that waits on a dead vendor cannot be ended; it is fenced off, and must not keep the process.
        sys.stdout.flush()
        os._exit(0)


def run_backfill(
    desk: Desk, sources: Sequence[str], start: str | None, end: str | None, *, as_json: bool
) -> None:
    """Backfill the gaps of a range, source by source, to the end.

    Raises: RequestError if no source can be asked for single days; typer.Exit with 1 if something was refused or
    given up.
    """
    from dataspine.cli.backfill import request_of
    from dataspine.service.backfill import start_backfill
    from dataspine.service.engine import finish_job
    from dataspine.service.jobs import show_job

    log_to_workspace(desk, ENGINE_LOG)
    names = daily_sources(desk, sources)
    requests = [request_of(name, start, end, mode="gaps", symbols=None) for name in names]
    started = [start_backfill(desk, request=request) for request in requests]
    job_ids = [one.job_id for one in started if one.job_id is not None]
    for job_id in job_ids:
        finish_job(desk, job_id, on_look=JobProgress(desk))
    views = [show_job(desk, job_id)[0] for job_id in job_ids]
    emit(as_json, {"backfills": [job_document(view) for view in views]}, lambda: print_jobs(views))
    raise typer.Exit(max((exit_code(view) for view in views), default=0))


def backfill_plans(desk: Desk, sources: Sequence[str], start: str | None, end: str | None) -> list[Plan]:
    """What a backfill of each source would do; nothing is kept.

    Raises: RequestError, ConfigError, StorageError.
    """
    from dataspine.cli.backfill import request_of
    from dataspine.service.backfill import preview_backfill

    names = daily_sources(desk, sources, allow_none=True)
    return [preview_backfill(desk, request_of(name, start, end, mode="gaps", symbols=None)) for name in names]


def daily_sources(desk: Desk, sources: Sequence[str], *, allow_none: bool = False) -> list[str]:
    """The named sources, or every one that can be asked for single days.

    Raises: RequestError if there is none.
    """
    from dataspine.service.backfill import can_be_backfilled

    if sources:
        return [desk.profile(name).name for name in sources]
    names = [name for name, profile in desk.settings.sources.items() if can_be_backfilled(profile)]
    if not names and not allow_none:
        raise RequestError(
            "no source can be asked for single days",
            found=", ".join(desk.settings.sources) or "no source at all",
            cure="Put {date} into a path, url or http.params: docs/howto/backfill.md",
        )
    return names


def print_backfill_plans(plans: Sequence[Plan]) -> None:
    """Each plan, for people."""
    for made in plans:
        print_plan(made)


def plan_documents(plans: Sequence[Plan]) -> list[dict[str, object]]:
    """Each plan, for `--json`."""
    return [plan_document(made) for made in plans]
