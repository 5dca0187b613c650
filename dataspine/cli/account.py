"""`dataspine account`: what was read, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.output import JsonOption, count, emit, say, table

if TYPE_CHECKING:
    from dataspine.service.accounts import AccountReport, RunAccount

UNBALANCED = 1
_COUNTERS = ("rows_read", "inserted", "unchanged", "corrected", "rejected", "duplicate")


def register(app: typer.Typer) -> None:
    """Add `account`."""
    app.command()(account)


def account(
    context: typer.Context,
    source: Annotated[str | None, typer.Option("--source", help="Only this source.")] = None,
    run: Annotated[int | None, typer.Option("--run", help="Only this run.")] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Judge every archived payload again and compare row by row.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Count every run again from the tables: read = inserted + unchanged + corrected + rejected + duplicate.

    Exit code 1 when something does not add up.
    """
    from dataspine.service.accounts import account_for

    report = account_for(desk_of(context), source=source, run_id=run, deep=deep)
    emit(as_json, _document(report), lambda: _print_report(report))
    if not report.balanced:
        raise typer.Exit(UNBALANCED)


def _document(report: AccountReport) -> dict[str, object]:
    return {
        "balanced": report.balanced,
        "deep": report.is_deep,
        "running": report.running,
        "runs": [_run_document(report, run) for run in report.runs],
        "payloads": [
            {
                "source": payload.source,
                "payload_sha256": payload.payload_sha256,
                "object_name": payload.object_name,
                "runs": [run.run_id for run in payload.runs],
                "balanced": all(report.is_run_balanced(run) for run in payload.runs),
            }
            for payload in report.payloads
        ],
        "sources": [
            {
                "source": kept.source,
                "rows_stored": kept.rows_stored,
                "rows_counted": kept.rows_counted,
                "open_letters": kept.open_letters,
                "letters_counted": kept.letters_counted,
                "balanced": kept.balanced,
            }
            for kept in report.sources
        ],
    }


def _run_document(report: AccountReport, run: RunAccount) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "source": run.source,
        "kind": run.kind,
        "state": run.state,
        "object_name": run.object_name,
        "payload_sha256": run.payload_sha256,
        **run.counted._asdict(),
        "recorded": run.recorded._asdict(),
        "differences": list(report.differences.get(run.run_id, ())),
        "balanced": report.is_run_balanced(run),
    }


def _print_report(report: AccountReport) -> None:
    rows = [
        (
            run.run_id,
            run.source,
            *(count(getattr(run.counted, name)) for name in _COUNTERS),
            _verdict(report, run),
        )
        for run in report.runs
    ]
    if rows:
        columns = ("run", "source", "read", "new", "same", "corr.", "rej.", "dup.", "")
        table("Counted from the tables", columns, rows)
    for run in report.runs:
        for words in _differences(report, run):
            say(f"Run {run.run_id}: {words}")
    for kept in report.sources:
        if not kept.balanced:
            say(
                f"{kept.source} keeps {count(kept.rows_stored)} rows and {count(kept.open_letters)} open letters;"
                f" counted: {count(kept.rows_counted)} and {count(kept.letters_counted)}"
            )
    if report.running:
        say(f"{count(report.running)} runs are at work and not counted.")
    say("Balanced." if report.balanced else "NOT balanced.")


def _verdict(report: AccountReport, run: RunAccount) -> str:
    if not report.is_run_balanced(run):
        return "WRONG"
    return "" if run.state == "succeeded" else run.state


def _differences(report: AccountReport, run: RunAccount) -> list[str]:
    """Counters that the tables contradict, then what the bytes contradict."""
    pairs = zip(_COUNTERS, run.recorded, run.counted, strict=True)
    words = [
        f"{name} recorded {count(kept)}, counted {count(found)}"
        for name, kept, found in pairs
        if kept != found
    ]
    return [*words, *report.differences.get(run.run_id, ())]
