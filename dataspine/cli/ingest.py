"""`dataspine ingest`: read sources or files, judge every record, store what is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataspine.cli.accounts_shown import print_report, report_document
from dataspine.cli.desk import desk_of
from dataspine.cli.logs import log_to_workspace
from dataspine.cli.output import JsonOption, emit
from dataspine.cli.progress import IngestProgress
from dataspine.errors import RequestError

if TYPE_CHECKING:
    from dataspine.schemas.source import SourceProfile
    from dataspine.service.desk import Desk
    from dataspine.service.ingest import IngestReport, IngestRequest

FAILURE_CODES = (4, 3, 2)
"""Exit codes of sources that failed, worst first."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ingest")(ingest)


def ingest(
    context: typer.Context,
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE", help="Names of configured sources.")
    ] = None,
    *,
    take_all: Annotated[bool, typer.Option("--all", help="Every configured source.")] = False,
    file: Annotated[
        list[Path] | None,
        typer.Option("--file", metavar="FILE", help="Read this file instead."),
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="NAME", help="Mapping for --file.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="One key over the preset, e.g. csv.delimiter=; (TOML, or else text).",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source", metavar="NAME", help="Name for --file; else the preset's, or a configured source."
        ),
    ] = None,
    audit_log: Annotated[
        Path | None,
        typer.Option("--audit-log", metavar="FILE", help="Append this ingest's audit events, as JSON lines."),
    ] = None,
    chunk_records: Annotated[int | None, typer.Option("--chunk-records", min=1, hidden=True)] = None,
    as_json: JsonOption = False,
) -> None:
    """Ingest sources, or files under a preset; every record is stored, known, or a dead letter with its reasons.

    Exit codes: 0 all stored, 1 something was refused, 4 a source could not be read (the others were).
    """
    from dataspine.service.ingest import IngestRequest, profile_for_files, requested_profiles

    desk, files = desk_of(context), tuple(file or ())
    profiles: tuple[SourceProfile, ...]
    if files:
        _refuse_mixture(sources, take_all=take_all)
        profiles = (profile_for_files(desk, preset=preset, source=source, overrides=overrides or ()),)
    else:
        _refuse_without_file(preset=preset, source=source, overrides=overrides)
        profiles = requested_profiles(desk, sources or (), take_all=take_all)
    request = IngestRequest(profiles, files, chunk_records=chunk_records, audit_log=audit_log)
    report = ingested(desk, request)
    emit(as_json, report_document(report), lambda: print_report(report))
    raise typer.Exit(exit_code(report))


def ingested(desk: Desk, request: IngestRequest) -> IngestReport:
    """Carry out the request with a progress bar, logging to the workspace."""
    from dataspine.service.ingest import run_ingest

    log_to_workspace(desk)
    with IngestProgress() as progress:
        return run_ingest(desk, request, on_progress=progress)


def exit_code(report: IngestReport) -> int:
    """The worst that happened."""
    codes = {failure.error.exit_code for failure in report.failures}
    return next((code for code in FAILURE_CODES if code in codes), int(report.has_rejects()))


def _refuse_mixture(sources: list[str] | None, *, take_all: bool) -> None:
    if sources or take_all:
        raise RequestError(
            "--file stands alone",
            found="sources beside it",
            cure="Use --source NAME to read a file as a source",
        )


def _refuse_without_file(*, preset: str | None, source: str | None, overrides: list[str] | None) -> None:
    given = {"--preset": preset, "--source": source, "--set": overrides}
    used = [option for option, value in given.items() if value]
    if used:
        raise RequestError(f"{', '.join(used)} needs --file", cure="Add --file FILE")
