"""`dataspine jobs`: what is asked of the engine, what it gave up, and the verbs on both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.job_wait import carry_on
from dataspine.cli.jobs_shown import (
    dead_document,
    job_document,
    print_dead,
    print_job,
    print_jobs,
    slice_document,
)
from dataspine.cli.output import JsonOption, emit, say
from dataspine.errors import RequestError

if TYPE_CHECKING:
    from dataspine.schemas.job import Job
    from dataspine.service.desk import Desk

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Number of a job, or the id of its plan.")]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Queue it and leave.")]

app = typer.Typer(help="Jobs: list, show, pause, resume, cancel, retry.", no_args_is_help=True)


def commands() -> typer.Typer:
    """The sub-commands of `jobs`."""
    return app


@app.command("list")
def list_jobs(
    context: typer.Context,
    *,
    dead: Annotated[bool, typer.Option("--dead", help="Slices that were given up.")] = False,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Only ingest or backfill.")
    ] = None,
    before: Annotated[
        int | None, typer.Option("--before", min=1, metavar="JOB", help="Jobs older than this one.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List jobs, newest first; `next` of the JSON form is the `--before` of the next page."""
    from dataspine.service import jobs

    desk = desk_of(context)
    if dead:
        tasks = jobs.dead_tasks(desk, limit=limit)
        emit(as_json, {"dead_tasks": [dead_document(task) for task in tasks]}, lambda: print_dead(tasks))
        return
    views = jobs.list_jobs(desk, kind=kind, before=before, limit=limit)
    following = views[-1].job.job_id if len(views) == limit else None
    document = {"jobs": [job_document(view) for view in views], "next": following}
    emit(as_json, document, lambda: print_jobs(views))


@app.command()
def show(context: typer.Context, job: JobArgument, as_json: JsonOption = False) -> None:
    """Show a job and the state of each slice."""
    show_job(desk_of(context), job, as_json=as_json)


@app.command()
def pause(context: typer.Context, job: JobArgument, as_json: JsonOption = False) -> None:
    """Hold a job: slices in hand finish, no other begins."""
    from dataspine.service import jobs

    desk = desk_of(context)
    report(jobs.pause_job(desk, jobs.job_of(desk, job)), as_json=as_json)


@app.command()
def resume(
    context: typer.Context, job: JobArgument, no_wait: NoWaitOption = False, as_json: JsonOption = False
) -> None:
    """Let a paused job go on, and wait for its end."""
    from dataspine.service import jobs

    desk = desk_of(context)
    resumed = jobs.resume_job(desk, jobs.job_of(desk, job))
    carry_on(desk, resumed.job_id, no_wait=no_wait, as_json=as_json)


@app.command()
def cancel(context: typer.Context, job: JobArgument, as_json: JsonOption = False) -> None:
    """Take a job back: slices that have not begun go, one in hand finishes; what is stored stays."""
    from dataspine.service import jobs

    desk = desk_of(context)
    report(jobs.cancel_job(desk, jobs.job_of(desk, job)), as_json=as_json)


@app.command()
def retry(
    context: typer.Context,
    task: Annotated[
        str, typer.Argument(metavar="JOB[/SLICE]", help="A job's failed slices, or one slice: 12/3.")
    ],
    *,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run what failed or was cancelled again, with all its attempts, and wait for the end."""
    retry_task(desk_of(context), task, no_wait=no_wait, as_json=as_json)


def show_job(desk: Desk, name: str, *, as_json: bool) -> None:
    """A job and its slices."""
    from dataspine.service import jobs

    view, slices = jobs.show_job(desk, jobs.job_of(desk, name))
    document = {**job_document(view), "slices": [slice_document(piece) for piece in slices]}
    emit(as_json, document, lambda: print_job(view, slices))


def retry_task(desk: Desk, task: str, *, no_wait: bool, as_json: bool) -> None:
    """Queue a job's failed slices, or one slice, anew and carry on with the job."""
    from dataspine.service import jobs

    name, slash, number = task.partition("/")
    if slash and not (number.isascii() and number.isdigit()):
        raise RequestError("a task is a job and a slice", found=task, cure="Write it like 12/3")
    job_id = jobs.job_of(desk, name)
    jobs.retry_job(desk, job_id, int(number) if slash else None)
    carry_on(desk, job_id, no_wait=no_wait, as_json=as_json)


def report(job: Job, *, as_json: bool) -> None:
    """Say how a job stands."""
    document = {"job_id": job.job_id, "plan_id": job.plan_id, "state": str(job.state)}
    emit(as_json, document, lambda: say(f"Job {job.job_id} of {job.source} is {job.state}."))
