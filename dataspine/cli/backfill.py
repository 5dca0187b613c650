"""`dataspine backfill`: a range of sessions of one source, planned, started, watched and steered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.job_wait import carry_on
from dataspine.cli.jobs import JobArgument, NoWaitOption, report, retry_task, show_job
from dataspine.cli.jobs_shown import job_document, print_jobs
from dataspine.cli.output import JsonOption, count, emit, narrate, say, say_line, table
from dataspine.errors import RequestError

if TYPE_CHECKING:
    from dataspine.scheduling.plan import Plan
    from dataspine.service.backfill import BackfillRequest

SLICES_SHOWN = 40
ID_CHARS = 12

StartOption = Annotated[
    str | None, typer.Option("--start", metavar="DAY", help="First day, e.g. 2026-01-05.")
]
EndOption = Annotated[str | None, typer.Option("--end", metavar="DAY", help="Last day, included.")]
ModeOption = Annotated[
    str,
    typer.Option(
        "--mode",
        metavar="gaps|reingest|shadow",
        help="gaps: what is missing, failed or stale; reingest: every session; shadow: compare, store nothing.",
    ),
]
SymbolsOption = Annotated[
    str | None, typer.Option("--symbols", metavar="A,B", help="Fewer symbols than the source's own.")
]

app = typer.Typer(
    help="Backfills: plan, start, list, show, pause, resume, cancel, retry.", no_args_is_help=True
)


def commands() -> typer.Typer:
    """The sub-commands of `backfill`."""
    return app


@app.command()
def plan(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Name of a configured source.")],
    *,
    start: StartOption = None,
    end: EndOption = None,
    mode: ModeOption = "gaps",
    symbols: SymbolsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which sessions would be fetched, why each, and what it costs the vendor; keep the plan for `start`."""
    from dataspine.service.backfill import plan_backfill

    made = plan_backfill(desk_of(context), request_of(source, start, end, mode=mode, symbols=symbols))
    emit(as_json, plan_document(made), lambda: _print_made(made))


@app.command("start")
def start_backfill(
    context: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="PLAN|SOURCE", help="Id of a plan, or a source with --start and --end.")
    ],
    *,
    start: StartOption = None,
    end: EndOption = None,
    mode: ModeOption = "gaps",
    symbols: SymbolsOption = None,
    replan: Annotated[
        bool, typer.Option("--replan", help="Go on with a new plan if the world has moved since.")
    ] = False,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch what a plan says, session by session, and wait for the end.

    A plan is refused when configuration, code, calendar or the store have changed since it was made; what moved is
    shown. Work goes on in the engine that runs, or here when there is none; a killed one goes on where it was.

    Exit codes: 0 all sessions stored, 1 records refused or sessions given up, 2 the plan no longer holds.
    """
    from dataspine.service import backfill

    desk = desk_of(context)
    if start is None and end is None:
        started = backfill.start_backfill(desk, what, allow_new_plan=replan)
    else:
        request = request_of(what, start, end, mode=mode, symbols=symbols)
        started = backfill.start_backfill(desk, request=request)
    for move in started.moves:
        narrate(f"moved: {move}")
    extra: dict[str, object] = {"plan_id": started.plan.plan_id}
    if started.job_id is None:
        document = {**extra, "job_id": None, "state": "succeeded", "slices": [], "digest": None}
        emit(as_json, document, lambda: say("Nothing to do: every session stands as it should."))
        return
    carry_on(desk, started.job_id, no_wait=no_wait, as_json=as_json, extra=extra)


@app.command("list")
def list_backfills(
    context: typer.Context,
    *,
    before: Annotated[int | None, typer.Option("--before", min=1, metavar="JOB")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List backfills, newest first; `next` of the JSON form is the `--before` of the next page."""
    from dataspine.service import jobs

    views = jobs.list_jobs(desk_of(context), kind="backfill", before=before, limit=limit)
    following = views[-1].job.job_id if len(views) == limit else None
    document = {"backfills": [job_document(view) for view in views], "next": following}
    emit(as_json, document, lambda: print_jobs(views))


@app.command()
def show(context: typer.Context, job: JobArgument, as_json: JsonOption = False) -> None:
    """Show a backfill and the state of each session."""
    show_job(desk_of(context), job, as_json=as_json)


@app.command()
def pause(context: typer.Context, job: JobArgument, as_json: JsonOption = False) -> None:
    """Hold a backfill: the session in hand finishes, no other begins."""
    from dataspine.service import jobs

    desk = desk_of(context)
    report(jobs.pause_job(desk, jobs.job_of(desk, job)), as_json=as_json)


@app.command()
def resume(
    context: typer.Context, job: JobArgument, no_wait: NoWaitOption = False, as_json: JsonOption = False
) -> None:
    """Let a paused backfill go on, and wait for its end."""
    from dataspine.service import jobs

    desk = desk_of(context)
    carry_on(
        desk,
        jobs.resume_job(desk, jobs.job_of(desk, job)).job_id,
        no_wait=no_wait,
        as_json=as_json,
    )


@app.command()
def cancel(context: typer.Context, job: JobArgument, as_json: JsonOption = False) -> None:
    """Take a backfill back: sessions that have not begun go, the one in hand finishes; what is stored stays."""
    from dataspine.service import jobs

    desk = desk_of(context)
    report(jobs.cancel_job(desk, jobs.job_of(desk, job)), as_json=as_json)


@app.command()
def retry(
    context: typer.Context,
    task: Annotated[
        str, typer.Argument(metavar="JOB[/SLICE]", help="A backfill's failed sessions, or one: 12/3.")
    ],
    *,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch failed or cancelled sessions again, with all their attempts, and wait for the end."""
    retry_task(desk_of(context), task, no_wait=no_wait, as_json=as_json)


def request_of(
    source: str, start: str | None, end: str | None, *, mode: str, symbols: str | None
) -> BackfillRequest:
    """The request of a command line.

    Raises: RequestError if an end of the range is missing.
    """
    from dataspine.service.backfill import BackfillRequest

    if not start or not end:
        raise RequestError(
            "a backfill needs both --start and --end", found=start or end or "neither", where=source
        )
    names = tuple(name.strip() for name in (symbols or "").split(",") if name.strip())
    return BackfillRequest(source, start, end, mode, names)


def plan_document(made: Plan) -> dict[str, object]:
    """A plan with every slice."""
    return {
        "plan_id": made.plan_id,
        "source": made.source,
        "mode": str(made.mode),
        "symbols": list(made.symbols),
        "sessions": len(made.sessions),
        "slices": [
            {
                "slice": number,
                "partition": piece.partition,
                "why": str(piece.why),
                "requests": piece.requests,
                "held_state": None if piece.held is None else str(piece.held.state),
                "held_rows": None if piece.held is None else piece.held.rows,
            }
            for number, piece in enumerate(made.slices, start=1)
        ],
        "requests": made.requests,
        "vendor_s": made.vendor_s,
        "estimate_s": made.estimate_s,
        "digest": None,
    }


def print_plan(made: Plan) -> None:
    """What would be fetched, and why."""
    say_line(
        f"{made.source}: {count(len(made.slices))} of {count(len(made.sessions))} sessions,"
        f" {count(made.requests)} requests, about {made.estimate_s:,.0f} s"
        f" ({made.vendor_s:,.0f} s of the vendor's allowance)"
    )
    if not made.slices:
        return
    rows = [
        (
            number,
            piece.partition,
            piece.why,
            "" if piece.held is None else f"{piece.held.state}, {count(piece.held.rows)} records",
            piece.requests,
        )
        for number, piece in enumerate(made.slices[:SLICES_SHOWN], start=1)
    ]
    table("Slices", ["slice", "session", "why", "there now", "requests"], rows)
    if len(made.slices) > SLICES_SHOWN:
        say(f"and {count(len(made.slices) - SLICES_SHOWN)} more; --json has them all")


def _print_made(made: Plan) -> None:
    print_plan(made)
    if made.slices:
        say_line(f"Plan {made.plan_id}")
        say_line(f"Start it: dataspine backfill start {made.plan_id[:ID_CHARS]}")
