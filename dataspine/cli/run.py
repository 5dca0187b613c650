"""`dataspine run`: the engine, live or for a backfill; every source once; what would run; or the fixtures."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Annotated

import typer

from dataspine.cli.accounts_shown import print_report, report_document
from dataspine.cli.desk import desk_of
from dataspine.cli.ingest import exit_code, ingested
from dataspine.cli.output import JsonOption, count, emit, narrate_error, say, say_line, table
from dataspine.cli.run_engine import (
    backfill_plans,
    plan_documents,
    print_backfill_plans,
    run_backfill,
    run_live,
)
from dataspine.errors import RequestError

if TYPE_CHECKING:
    from dataspine.scheduling.plan import Plan
    from dataspine.service.demo_run import DemoRun
    from dataspine.service.desk import Desk
    from dataspine.service.ingest import IngestReport
    from dataspine.service.run_plan import PlannedSource

OBJECTS_SHOWN = 3


StartOption = Annotated[str | None, typer.Option("--start", metavar="DAY", help="First day of a backfill.")]
EndOption = Annotated[str | None, typer.Option("--end", metavar="DAY", help="Last day of a backfill.")]
SourcesOption = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="SOURCE", help="Backfill this source; may be given several times."),
]
AuditLogOption = Annotated[
    Path | None,
    typer.Option("--audit-log", metavar="FILE", help="Append this run's audit events, as JSON lines."),
]


class Mode(StrEnum):
    """Which work a run does."""

    LIVE = "live"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a dry run is asked about."""

    mode: Mode
    start: str | None
    end: str | None
    sources: tuple[str, ...]
    schedule: str | None


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    context: typer.Context,
    *,
    mode: Annotated[
        Mode | None,
        typer.Option(
            "--mode", metavar="live|backfill", help="live: read every source; backfill: a range of days."
        ),
    ] = None,
    fixtures: Annotated[
        Path | None,
        typer.Option(
            "--fixtures", metavar="DIR", help="Make the workspace from this folder and ingest it all."
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Read every source once and leave.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run; store nothing.")] = False,
    schedule: Annotated[
        str | None,
        typer.Option("--schedule", metavar="CRON", help="Instead of the sources' own."),
    ] = None,
    start: StartOption = None,
    end: EndOption = None,
    source: SourcesOption = None,
    audit_log: AuditLogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the engine: sources when they are due, jobs as they are asked for; Ctrl-C stops it within 10 s.

    --once reads every source once and leaves; --mode backfill fetches what a range of days lacks and leaves.

    Exit codes: 0 stopped or done, 1 something was refused or given up, 3 another engine runs in this workspace.
    """
    desk = desk_of(context)
    wanted = Wanted(mode or Mode.LIVE, start, end, tuple(source or ()), schedule)
    if fixtures is not None:
        _refuse_beside_fixtures(mode=mode, once=once, dry_run=dry_run, **_days_and_sources(wanted))
        _run_fixtures(desk, fixtures, audit_log=audit_log, as_json=as_json)
    elif dry_run:
        _print_plan(desk, wanted, as_json=as_json)
    elif mode is Mode.BACKFILL:
        _refuse_beside_backfill(once=once, schedule=schedule, audit_log=audit_log)
        run_backfill(desk, wanted.sources, start, end, as_json=as_json)
    else:
        _refuse_days(wanted)
        _run_live(desk, wanted, once=once, audit_log=audit_log, as_json=as_json)


def _run_live(desk: Desk, wanted: Wanted, *, once: bool, audit_log: Path | None, as_json: bool) -> None:
    if not once:
        run_live(desk, schedule=wanted.schedule, audit_log=audit_log, as_json=as_json)
        return
    if wanted.schedule:
        raise RequestError(
            "--once reads now, whatever is scheduled", found="--schedule", cure="Leave one out"
        )
    _run_once(desk, audit_log=audit_log, as_json=as_json)


def _days_and_sources(wanted: Wanted) -> dict[str, object]:
    return {
        "schedule": wanted.schedule,
        "start": wanted.start,
        "end": wanted.end,
        "source": wanted.sources,
    }


def _refuse_beside_backfill(**given: object) -> None:
    used = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if used:
        raise RequestError("this does not belong to a backfill", found=", ".join(used), cure="Leave it out")


def _refuse_days(wanted: Wanted) -> None:
    if wanted.start or wanted.end or wanted.sources:
        raise RequestError("--start, --end and --source belong to a backfill", cure="Add --mode backfill")


def _run_once(desk: Desk, *, audit_log: Path | None, as_json: bool) -> None:
    report = _every_source_ingested(desk, audit_log)
    emit(as_json, report_document(report), lambda: print_report(report))
    raise typer.Exit(exit_code(report))


def _every_source_ingested(desk: Desk, audit_log: Path | None) -> IngestReport:
    from dataspine.service.ingest import IngestRequest, requested_profiles

    return ingested(desk, IngestRequest(requested_profiles(desk, (), take_all=True), audit_log=audit_log))


def _run_fixtures(desk: Desk, fixtures: Path, *, audit_log: Path | None, as_json: bool) -> None:
    """The demonstration; refused records are what it shows, so they are no failure."""
    from dataspine.service.demo_run import configure, demo_run

    configure(desk.home, fixtures)
    result = demo_run(desk, _every_source_ingested(desk, audit_log))
    document = {
        **report_document(result.report),
        "open_letters": result.open_letters,
        "audit_head": result.head.hash,
        "database": str(result.database),
    }
    emit(as_json, document, lambda: _print_demo(result, desk.home))
    if result.report.failures:
        raise typer.Exit(exit_code(result.report))


def _refuse_beside_fixtures(**given: object) -> None:
    used = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if used:
        raise RequestError("--fixtures stands alone", found=", ".join(used), cure="Leave the others out")


def _print_demo(result: DemoRun, home: Path) -> None:
    print_report(result.report)
    say()
    if result.worst:
        rows = [
            (count(kind.letters), kind.example.source, str(kind.example.reasons[0]), kind.example.letter_id)
            for kind in result.worst
        ]
        table(
            f"Dead letters: {count(result.open_letters)} open, the most frequent kinds",
            ["letters", "source", "first reason of the first one", "id"],
            rows,
        )
        say()
    say_line(f"Audit log    {result.head.sequence} events, head {result.head.hash[:16]}")
    say_line(f"Database     {result.database}")
    say_line("Try next:")
    for arguments in ("dlq list --groups", "audit verify", "run --mode live --once"):
        say_line(f"  {program()} --home {home} {arguments}")


def program() -> str:
    """How this machine's operator calls us."""
    if which("dataspine"):
        return "dataspine"
    python = Path(sys.executable)
    return f"{python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python} -m dataspine"


def _print_plan(desk: Desk, wanted: Wanted, *, as_json: bool) -> None:
    from dataspine.service.run_plan import days_between, plan_run

    is_backfill = wanted.mode is Mode.BACKFILL
    days, plans = [], []
    if is_backfill:
        days = days_between(wanted.start, wanted.end)
        plans = backfill_plans(desk, wanted.sources, wanted.start, wanted.end)
    else:
        _refuse_days(wanted)
    plan = plan_run(desk, schedule=wanted.schedule)
    document = {
        "mode": str(wanted.mode),
        "days": [day.isoformat() for day in days],
        "plans": plan_documents(plans),
        "sources": [
            {
                "source": planned.source,
                "schedule": planned.schedule,
                "objects": list(planned.object_names),
                "error": str(planned.error) if planned.error else None,
            }
            for planned in plan
        ],
    }
    emit(as_json, document, lambda: _print_planned(plan, [str(day) for day in days], plans))
    for planned in plan:
        if planned.error:
            narrate_error(planned.error)
    if any(planned.error for planned in plan):
        raise typer.Exit(max(planned.error.exit_code for planned in plan if planned.error))


def _print_planned(plan: list[PlannedSource], days: list[str], plans: list[Plan]) -> None:
    if days:
        say(f"Backfill of {count(len(days))} days, {days[0]} to {days[-1]}.")
        print_backfill_plans(plans)
    rows = [
        (
            planned.source,
            planned.schedule or "when asked",
            count(len(planned.object_names)),
            _some(planned.object_names),
        )
        for planned in plan
    ]
    table("What would be read; nothing is stored", ["source", "schedule", "objects", "there now"], rows)


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - OBJECTS_SHOWN
    return ", ".join(names[:OBJECTS_SHOWN]) + (f" and {count(more)} more" if more > 0 else "")
