"""`dataspine sessions`: when exchanges are open, refreshed from their published calendars, overridden by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.output import JsonOption, count, emit, narrate, say, table
from dataspine.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataspine.calendars.difference import CalendarDifference
    from dataspine.calendars.lookup import Calendar, Session
    from dataspine.calendars.overrides import SessionOverride
    from dataspine.service.sessions import CalendarState, SessionPage

FINDINGS = 1
DAYS_SHOWN = 14
"""How many dates `list` shows from the first on."""
CHANGES_SHOWN = 40
"""Differences that `refresh` shows to people; the JSON form has them all."""

NameArgument = Annotated[str, typer.Argument(metavar="CALENDAR", help="Name of a calendar, e.g. XNYS.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, in a few words; goes into the audit log.")]

app = typer.Typer(help="Sessions: list, refresh, override, undo.", no_args_is_help=True)


def commands() -> typer.Typer:
    """The sub-commands of `sessions`."""
    return app


@app.command("list")
def list_sessions(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[CALENDAR]", help="A calendar; without it, all of them.")
    ] = None,
    *,
    first: Annotated[str | None, typer.Option("--from", help="First date; by default today.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last date; by default 13 days later.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the sessions of a calendar, overrides included, or the calendars and how far they reach."""
    from dataspine.service import sessions

    desk = desk_of(context)
    if name is None:
        states = sessions.states(desk)
        document = {"calendars": [_state_document(state) for state in states]}
        emit(as_json, document, lambda: _print_states(states))
        return
    start = sessions.today(desk) if first is None else _day(first, option="--from")
    end = start + timedelta(days=DAYS_SHOWN - 1) if last is None else _day(last, option="--to")
    page = sessions.page(desk, name, start, end)
    emit(as_json, _page_document(page), lambda: _print_page(page))


@app.command()
def refresh(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[CALENDAR]...", help="Calendars; without any, all of them.")
    ] = None,
    *,
    first: Annotated[
        str | None, typer.Option("--from", help="Reach back to this date; by default ten years.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Apply what differs; needs --reason.")] = False,
    reason: ReasonOption = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write files as the package ships them to this directory instead."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Generate calendars anew and show what differs from those in force; --yes applies it.

    Exit codes: 0 nothing differs or it was applied, 1 something differs and was not applied.
    """
    from dataspine.service import sessions

    if yes and not reason.strip():
        raise RequestError("--yes needs a reason", found="none", cure="Say why in a few words: --reason TEXT")
    desk = desk_of(context)
    first_day = None if first is None else _day(first, option="--from")
    differences = sessions.propose_refresh(desk, names or (), first_day=first_day)
    if out is not None:
        for path in sessions.export_files(differences, out):
            narrate(f"wrote {path}")
    elif yes:
        sessions.apply_refresh(desk, differences, reason=reason)
    document = {
        "applied": yes and out is None,
        "calendars": [_difference_document(item) for item in differences],
    }
    emit(as_json, document, lambda: _print_differences(differences, is_applied=yes and out is None))
    if not yes and out is None and any(not item.is_empty for item in differences):
        raise typer.Exit(FINDINGS)


@app.command()
def override(
    context: typer.Context,
    name: NameArgument,
    day: Annotated[str, typer.Argument(metavar="DATE", help="The exchange's date, e.g. 2026-01-09.")],
    *,
    reason: ReasonOption,
    closed: Annotated[bool, typer.Option("--closed", help="No session on that date.")] = False,
    opens: Annotated[
        str | None, typer.Option("--open", help="HH:MM on the exchange's clock; else as scheduled.")
    ] = None,
    closes: Annotated[
        str | None, typer.Option("--close", help="HH:MM on the exchange's clock; else as scheduled.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Lay an unscheduled closure or other hours over one date, until `sessions undo`."""
    from dataspine.service import sessions

    hours = sessions.Hours(is_closed=closed, opens=opens, closes=closes)
    made = sessions.override(desk_of(context), name, _day(day, option="DATE"), hours, reason=reason)
    document = _override_document(made)
    emit(
        as_json,
        {"override": document},
        lambda: say(
            f"Override {made.override_id}: {name} on {made.day} is {sessions.state_text(made.session)}"
        ),
    )


@app.command()
def undo(
    context: typer.Context,
    override_id: Annotated[int, typer.Argument(metavar="ID", help="Number of an override.")],
    *,
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Take an override back."""
    from dataspine.service import sessions

    session = sessions.undo(desk_of(context), override_id, reason=reason)
    document = {"id": override_id, "session": None if session is None else _session_document(session)}
    emit(
        as_json,
        {"undone": document},
        lambda: say(f"Override {override_id} is undone; the date is now {sessions.state_text(session)}"),
    )


def _day(text: str, *, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise RequestError(f"{option} must be a date", found=text, cure="Write it like 2026-01-09") from error


def _session_document(session: Session) -> dict[str, Any]:
    from dataspine.clock import iso_from_us

    edges = {
        "open_at": session.open_us,
        "close_at": session.close_us,
        "break_start_at": session.break_start_us,
        "break_end_at": session.break_end_us,
    }
    instants = {name: None if edge is None else iso_from_us(edge) for name, edge in edges.items()}
    return {"date": str(session.day), **instants, "is_half_day": session.is_half_day}


def _override_document(made: SessionOverride) -> dict[str, Any]:
    from dataspine.clock import iso_from_us

    return {
        "id": made.override_id,
        "calendar": made.calendar,
        "date": str(made.day),
        "session": None if made.session is None else _session_document(made.session),
        "reason": made.reason,
        "created_at": iso_from_us(made.created_at_us),
    }


def _calendar_document(calendar: Calendar) -> dict[str, Any]:
    return {
        "name": calendar.name,
        "zone": calendar.zone,
        "first_day": str(calendar.first_day),
        "last_day": str(calendar.last_day),
        "made_by": calendar.made_by,
        "version": calendar.version,
    }


def _state_document(state: CalendarState) -> dict[str, Any]:
    return {
        **_calendar_document(state.calendar),
        "exchange": state.exchange,
        "is_shipped": state.is_shipped,
        "overrides": state.overrides,
    }


def _page_document(page: SessionPage) -> dict[str, Any]:
    return {
        "calendar": _calendar_document(page.calendar),
        "sessions": [_session_document(session) for session in page.sessions],
        "overrides": [_override_document(override) for override in page.overrides],
    }


def _difference_document(difference: CalendarDifference) -> dict[str, Any]:
    return {
        "old": _calendar_document(difference.old),
        "new": _calendar_document(difference.new),
        "added": [_session_document(session) for session in difference.added],
        "removed": [_session_document(session) for session in difference.removed],
        "changed": [
            {"old": _session_document(change.old), "new": _session_document(change.new)}
            for change in difference.changed
        ],
    }


def _print_states(states: Sequence[CalendarState]) -> None:
    rows = [
        (
            state.calendar.name,
            state.exchange,
            f"{state.calendar.first_day} to {state.calendar.last_day}",
            "shipped" if state.is_shipped else "refreshed",
            state.overrides,
        )
        for state in states
    ]
    table("Calendars", ["calendar", "exchange", "covers", "sessions are", "overrides"], rows)


def _print_page(page: SessionPage) -> None:
    from dataspine.calendars.overrides import hours_text

    calendar = page.calendar
    numbers = {override.day: override.override_id for override in page.overrides}
    rows = [
        (
            session.day,
            hours_text(session, calendar.zone),
            "half day" if session.is_half_day else None,
            numbers.get(session.day),
        )
        for session in page.sessions
    ]
    table(f"Sessions of {calendar.name}, {calendar.zone} time", ["date", "open", "", "override"], rows)
    for override in page.overrides:
        hours = "closed" if override.session is None else hours_text(override.session, calendar.zone)
        say(f"Override {override.override_id}: {override.day} {hours}; {override.reason}")


def _print_differences(differences: Sequence[CalendarDifference], *, is_applied: bool) -> None:
    different = [difference for difference in differences if not difference.is_empty]
    if not different:
        say(f"Nothing differs in {count(len(differences))} calendar(s).")
        return
    columns = ["calendar", "will cover", "added", "removed", "changed"]
    rows = [
        (
            item.new.name,
            f"{item.new.first_day} to {item.new.last_day}",
            count(len(item.added)),
            count(len(item.removed)),
            count(len(item.changed)),
        )
        for item in different
    ]
    table("Differences", columns, rows)
    changes = [row for item in different for row in _change_rows(item)]
    if changes:
        table("Sessions", ["calendar", "date", "in force", "generated"], changes[:CHANGES_SHOWN])
    if len(changes) > CHANGES_SHOWN:
        say(f"And {count(len(changes) - CHANGES_SHOWN)} more: --json shows them all.")
    say("Applied." if is_applied else "Nothing was applied; --yes --reason TEXT applies it.")


def _change_rows(difference: CalendarDifference) -> list[tuple[object, ...]]:
    """What differs on dates that both cover, which matters most, before what is beyond them."""
    old, new = difference.old, difference.new
    changes = [
        *((item.new.day, item.old, item.new) for item in difference.changed),
        *((session.day, session, None) for session in difference.removed),
        *((session.day, None, session) for session in difference.added),
    ]
    changes.sort(key=lambda change: (not old.first_day <= change[0] <= old.last_day, change[0]))
    return [
        (new.name, day, _hours(was, new.zone), _hours(becomes, new.zone)) for day, was, becomes in changes
    ]


def _hours(session: Session | None, zone: str) -> str:
    from dataspine.calendars.overrides import hours_text

    if session is None:
        return "closed"
    return hours_text(session, zone) + (" (half day)" if session.is_half_day else "")
