"""`dataspine status`: where every source stands."""

from __future__ import annotations

import shutil
import sys

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.output import WIDTH, JsonOption, emit
from dataspine.cli.status_shown import status_document, status_text
from dataspine.cli.work_shown import work_document, work_text


def register(app: typer.Typer) -> None:
    """Add `status`."""
    app.command()(status)


def status(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show every source with its counters and newest runs, the one that needs somebody most on top."""
    from dataspine.service.status import status_of
    from dataspine.service.work import work_of

    desk = desk_of(context)
    found, work = status_of(desk), work_of(desk)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    text = f"{status_text(found, width=width)}\n\n{work_text(work, width=width)}"
    document = {**status_document(found), **work_document(work)}
    emit(as_json, document, lambda: print(text))  # noqa: T201 - no Rich here
