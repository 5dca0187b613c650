"""`dataspine sources`: what is configured, and whether a mapping fits its vendor's bytes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.output import JsonOption, emit, narrate_error, say, table
from dataspine.errors import SourceError

if TYPE_CHECKING:
    from dataspine.schemas.source import FieldMap, SourceProfile
    from dataspine.service.sources import RecordTrial, SourceTrial

FINDINGS = 1

app = typer.Typer(help="Sources: list, show, try one out.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="SOURCE", help="Name of a configured source.")]


def commands() -> typer.Typer:
    """The sub-commands of `sources`."""
    return app


@app.command("list")
def list_sources(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the configured sources."""
    from dataspine.service.sources import location

    desk = desk_of(context)
    documents = [
        {
            "name": profile.name,
            "kind": str(profile.kind),
            "format": profile.format,
            "preset": profile.preset,
            "location": location(profile),
            "schedule": profile.schedule,
        }
        for profile in desk.settings.sources.values()
    ]
    emit(as_json, {"sources": documents}, lambda: _print_sources(documents, str(desk.home)))


@app.command()
def show(context: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Show one source's whole mapping, preset and own keys together."""
    from dataspine.service.sources import profile_document

    profile = desk_of(context).profile(name)
    emit(as_json, {"source": profile_document(profile)}, lambda: _print_profile(profile))


@app.command()
def check(
    context: typer.Context,
    name: NameArgument,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Try this file instead of the source's own objects."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Try a source: can it be read, and what becomes of its first 20 records, field by field. Stores nothing.

    Exit codes: 0 all would be stored, 1 something would be refused, 4 it cannot be read.
    """
    from dataspine.service.sources import SourceTrial, check_source

    desk = desk_of(context)
    profile = desk.profile(name)
    try:
        trial = check_source(desk, profile, files=[file] if file else ())
    except SourceError as error:
        emit(
            as_json,
            {**trial_document(SourceTrial(name)), "reachable": False, "error": str(error)},
            _print_nothing,
        )
        narrate_error(error)
        raise typer.Exit(error.exit_code) from error
    emit(as_json, {**trial_document(trial), "reachable": True, "error": None}, lambda: _print_trial(trial))
    if trial.has_findings():
        raise typer.Exit(FINDINGS)


def trial_document(trial: SourceTrial) -> dict[str, Any]:
    """What a trial found, as JSON."""
    return {
        "source": trial.source,
        "object_name": trial.object_name,
        "received": trial.received,
        "records": [asdict(record) for record in trial.records],
        "refused": sum(1 for record in trial.records if record.reasons),
        "skipped": trial.skipped,
        "payload_reason": trial.payload_reason,
    }


def _print_nothing() -> None:
    """Data for people there is none; the error goes to stderr."""


def _print_sources(documents: list[dict[str, Any]], home: str) -> None:
    if not documents:
        say(f"No source is configured in {home}; `dataspine init` writes a configuration to start from.")
        return
    rows = [
        (item["name"], item["kind"], item["preset"] or item["format"], item["location"], item["schedule"])
        for item in documents
    ]
    table("Sources", ["source", "kind", "shape", "reads", "schedule"], rows)


def _print_profile(profile: SourceProfile) -> None:
    from dataspine.service.sources import location

    say(f"{profile.name}: {profile.kind} from {location(profile) or '--file only'}")
    say(
        f"{profile.format}, {profile.encoding}, preset {profile.preset or 'none'}, symbols {profile.symbology.name}"
    )
    rows = [(name, _origin(mapping), _treatment(mapping)) for name, mapping in profile.fields.items()]
    table("Mapping", ["field", "comes from", "and then"], rows)


def _origin(mapping: FieldMap) -> str:
    """Which of the vendor's texts a field reads."""
    if mapping.const is not None:
        return f"always {mapping.const}"
    if mapping.wire_paths():
        return (" + " if mapping.join else ", else ").join(mapping.wire_paths())
    if mapping.file or mapping.envelope:
        return f"file name {{{mapping.file}}}" if mapping.file else f"envelope {mapping.envelope}"
    return "key of the map" if mapping.key else f"made: {mapping.generate}"


def _treatment(mapping: FieldMap) -> str:
    """What else the mapping says, key by key."""
    said = mapping.model_dump(
        mode="json",
        exclude_defaults=True,
        exclude={"column", "join", "const", "file", "envelope", "key", "generate"},
    )
    return ", ".join(f"{key} {value}" for key, value in said.items())


def _print_trial(trial: SourceTrial) -> None:
    if trial.object_name is None:
        say(f"{trial.source} can be read and has nothing to read now.")
        return
    say(f"{trial.source}: {trial.object_name}; nothing was stored.")
    if trial.payload_reason:
        say(
            f"It cannot be read as declared: {trial.payload_reason['code']}: {trial.payload_reason['message']}"
        )
        return
    for record in trial.records:
        _print_record(record)
    for rule, lines in trial.skipped.items():
        say(f"Skipped as no record: {lines} by {rule}")
    refused = sum(1 for record in trial.records if record.reasons)
    say(
        f"{len(trial.records)} records tried: {len(trial.records) - refused} would be stored, {refused} refused."
    )


def _print_record(record: RecordTrial) -> None:
    verdict = "refused" if record.reasons else "good"
    rows = [(name, field.found, field.value) for name, field in record.fields.items()]
    table(f"Record {record.position}: {verdict}", ["field", "found", "becomes"], rows)
    for reason in record.reasons:
        say(f"  {reason['code']}: {reason['message']}")
