"""`dataspine health`: one line and an exit code for whoever probes the container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.output import JsonOption, emit, say_line
from dataspine.clock import iso_from_us

if TYPE_CHECKING:
    from dataspine.service.health import Health


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("health")(health)


def health(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say whether the engine lives and the sources fare well.

    Exit codes: 0 all well, 1 a source is degraded or failed or a task was given up, 2 no engine works or the
    workspace cannot be read.
    """
    from dataspine.service.health import health_of

    found = health_of(desk_of(context))
    emit(as_json, _document(found), lambda: _print(found))
    raise typer.Exit(int(found.verdict))


def _document(found: Health) -> dict[str, object]:
    engine = found.engine
    lease = engine.lease if engine else None
    return {
        "state": found.verdict.name.lower(),
        "problems": list(found.problems),
        "engine": {
            "is_alive": bool(engine and engine.is_alive),
            "owner": (lease.owner or None) if lease else None,
            "token": lease.token if lease else None,
            "heartbeat_at": iso_from_us(lease.heartbeat_us) if lease else None,
        },
        "sources": [
            {
                "source": source.source,
                "state": str(source.state),
                "failures": source.failures,
                "last_error": source.last_error,
                "last_ok_at": _instant(source.last_ok_us),
                "next_try_at": _instant(source.next_try_us),
            }
            for source in found.sources
        ],
        "dead_tasks": found.dead_tasks,
    }


def _print(found: Health) -> None:
    say_line(found.verdict.name.lower())
    for problem in found.problems:
        say_line(f"  {problem}")


def _instant(instant_us: int | None) -> str | None:
    return None if instant_us is None else iso_from_us(instant_us)
