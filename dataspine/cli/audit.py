"""`dataspine audit`: the log of every change."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.output import JsonOption, emit, emit_line, narrate, say, say_line, table
from dataspine.clock import iso_from_us
from dataspine.errors import RequestError

if TYPE_CHECKING:
    from dataspine.audit import AuditReport, ChainReport
    from dataspine.schemas.audit_event import AuditEvent

BROKEN = 1

app = typer.Typer(help="The log of every change: list, follow, verify, export.", no_args_is_help=True)

FirstOption = Annotated[int | None, typer.Option("--first", metavar="N", min=1, help="First event.")]
LastOption = Annotated[int | None, typer.Option("--last", metavar="N", min=1, help="Last event.")]


def commands() -> typer.Typer:
    """The sub-commands of `audit`."""
    return app


@app.command("list")
def list_events(
    context: typer.Context,
    *,
    event_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only events of this type.")
    ] = None,
    entity: Annotated[
        str | None, typer.Option("--entity", metavar="TYPE[:ID]", help="Only this thing, e.g. run:17.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Only events by this actor.")
    ] = None,
    before: Annotated[
        int | None, typer.Option("--before", metavar="SEQ", help="Only events with a lower sequence.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="Events at most.")
    ] = 50,
    as_json: JsonOption = False,
) -> None:
    """List events, newest first; `next` of the JSON form is the `--before` of the next page."""
    from dataspine.service import audit
    from dataspine.store.audit_events import EventFilter

    kind, _, entity_id = (entity or "").partition(":")
    only = EventFilter(event_type, kind or None, entity_id or None, actor)
    found = audit.page(desk_of(context), only, limit=limit, before=before)
    document = {"events": [event_document(event) for event in found.events], "next": found.following}
    emit(as_json, document, lambda: _print_events(found.events, found.following))


@app.command()
def follow(
    context: typer.Context,
    after: Annotated[
        int | None,
        typer.Option("--after", metavar="SEQ", help="Begin after this sequence; else with the next event."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Stop after so many events.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print events as they are committed, one a line, until Ctrl-C; with --json one document a line."""
    from itertools import islice

    from dataspine.service import audit

    for event in islice(audit.follow(desk_of(context), after=after), limit):
        if as_json:
            emit_line(event_document(event))
        else:
            say_line(_line(event))


@app.command()
def verify(
    context: typer.Context,
    anchor: Annotated[
        str | None, typer.Option("--anchor", metavar="HASH", help="A head that you noted elsewhere.")
    ] = None,
    since: Annotated[
        int | None,
        typer.Option("--since", metavar="SEQ", help="Trust what the anchor before this event covers."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Verify an export or a mirror instead.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check that no event was changed, removed or put in. Exit code 1 when one was."""
    from dataspine.service import audit

    report: AuditReport | ChainReport
    if file is not None:
        _refuse_beside_file(anchor, since)
        report = audit.verify_file(file)
    else:
        report = audit.verify(desk_of(context), since=since, external_hash=anchor)
    emit(as_json, report_document(report), lambda: say(_verdict(report)))
    if not report.ok:
        raise typer.Exit(BROKEN)


@app.command()
def export(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File to make; else stdout.")
    ] = None,
    first: FirstOption = None,
    last: LastOption = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Begin with a manifest that binds the events.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write events as JSON lines; `audit verify --file` checks them anywhere. --json needs --out."""
    from dataspine.service import audit

    desk = desk_of(context)
    if out is None:
        if as_json:
            raise RequestError(
                "--json tells of a file", found="no --out", cure="Add --out FILE, or leave --json out"
            )
        events = audit.export(desk, sys.stdout.buffer, first=first, last=last, evidence=evidence)
        sys.stdout.buffer.flush()
        narrate(f"{events} events")
        return
    with audit.new_file(out) as file:
        events = audit.export(desk, file, first=first, last=last, evidence=evidence)
    emit(as_json, {"events": events, "file": str(out)}, lambda: say(f"{events} events in {out}"))


def event_document(event: AuditEvent) -> dict[str, object]:
    """One event as JSON."""
    return {
        "sequence": event.sequence,
        "at": iso_from_us(event.at_us),
        "actor": event.actor,
        "channel": event.channel,
        "event_type": event.event_type,
        "entity_type": event.entity_type,
        "entity_id": event.entity_id,
        "old_state": event.old_state,
        "new_state": event.new_state,
        "metadata": event.metadata,
        "prev_hash": event.prev_hash,
        "hash": event.hash,
    }


def report_document(report: AuditReport | ChainReport) -> dict[str, object]:
    """What a verification found, as JSON."""
    return {
        "ok": report.ok,
        "events": report.events,
        "head": report.head.hash,
        "head_sequence": report.head.sequence,
        "first_bad": report.first_bad,
        "what": report.what,
        "anchors_checked": getattr(report, "anchors_checked", 0),
        "anchored_up_to": getattr(report, "anchored_up_to", 0),
    }


def _refuse_beside_file(anchor: str | None, since: int | None) -> None:
    if anchor is not None or since is not None:
        raise RequestError("--file is checked by itself", cure="Leave --anchor and --since out")


def _verdict(report: AuditReport | ChainReport) -> str:
    if not report.ok:
        return (
            f"BROKEN: {report.what}\n"
            f"Sound up to event {report.head.sequence}:\n  {report.head.hash}\n"
            "Keep the workspace as it is; it is evidence."
        )
    anchored = getattr(report, "anchored_up_to", 0)
    held = f", anchored up to event {anchored}" if anchored else ""
    return (
        f"The log is whole: {report.events} events{held}.\n"
        f"Head, event {report.head.sequence}:\n  {report.head.hash}\n"
        "Note the hash elsewhere; `audit verify --anchor HASH` holds the log against it."
    )


def _print_events(events: Sequence[AuditEvent], following: int | None) -> None:
    if not events:
        say("No events of this kind.")
        return
    rows = [
        (
            event.sequence,
            iso_from_us(event.at_us)[:19],
            event.actor,
            event.event_type,
            _entity(event),
            event.new_state,
        )
        for event in events
    ]
    table("Audit events, newest first", ["seq", "at (UTC)", "by", "event", "of", "state"], rows)
    if following is not None:
        say(f"More follow: --before {following}")


def _line(event: AuditEvent) -> str:
    words = (
        str(event.sequence),
        iso_from_us(event.at_us),
        event.actor,
        event.event_type,
        _entity(event),
        _states(event),
    )
    return "  ".join(word.replace("\n", " ") for word in words if word)


def _entity(event: AuditEvent) -> str:
    return f"{event.entity_type}:{event.entity_id}"


def _states(event: AuditEvent) -> str:
    if event.new_state is None:
        return ""
    return f"{event.old_state} → {event.new_state}" if event.old_state else event.new_state
