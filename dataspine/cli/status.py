"""`dataspine status`: where every source stands."""

from __future__ import annotations

import shutil
import sys

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.output import WIDTH, JsonOption, emit
from dataspine.cli.status_shown import status_document, status_text


def register(app: typer.Typer) -> None:
    """Add `status`."""
    app.command()(status)


def status(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show every source with its counters and newest runs, the one that needs somebody most on top."""
    from dataspine.service.status import status_of

    found = status_of(desk_of(context))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    emit(as_json, status_document(found), lambda: print(status_text(found, width=width)))  # noqa: T201 - no Rich here
