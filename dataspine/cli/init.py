"""`dataspine init`: make a workspace."""

from __future__ import annotations

from typing import Annotated

import typer

from dataspine.cli.desk import desk_of
from dataspine.cli.output import JsonOption, emit, say


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    context: typer.Context,
    force_config: Annotated[
        bool, typer.Option("--force-config", help="Write a new configuration over the one that is there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the workspace: a commented dataspine.toml, a folder for files to read, and the database."""
    from dataspine.service.init import NewWorkspace, make_workspace

    made: NewWorkspace = make_workspace(desk_of(context), force_config=force_config)
    document = {
        "home": str(made.home),
        "config": str(made.config),
        "database": str(made.database),
        "drop": str(made.drop),
        "wrote_config": made.wrote_config,
    }
    kept = "" if made.wrote_config else "  (was there and stays; --force-config writes a new one)"
    lines = [
        f"workspace  {made.home}",
        f"config     {made.config}{kept}",
        f"database   {made.database}",
        f"Put files into {made.drop}, then: dataspine --home {made.home} ingest --all",
    ]
    emit(as_json, document, lambda: say("\n".join(lines)))
