"""The tree of commands: which file holds each noun, read when the noun is asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from dataspine import __version__
from dataspine.cli.desk import desk_from_options
from dataspine.cli.plain_values import read_plainly

NOUNS = {
    "init": "init",
    "run": "run",
    "ingest": "ingest",
    "backfill": "backfill",
    "jobs": "jobs",
    "sources": "sources",
    "records": "records",
    "dlq": "dlq",
    "account": "account",
    "audit": "audit",
    "sessions": "sessions",
    "status": "status",
    "health": "health",
    "doctor": "doctor",
    "simulate": "simulate",
}
"""Command to its file in this package, in the order of `--help`."""
HELP_OPTIONS = ["-h", "--help"]


class LazyGroup(TyperGroup):
    """A group whose commands are imported one by one, so that a read starts in a fraction of a second."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        del ctx
        return list(NOUNS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        del ctx
        return noun_command(cmd_name) if cmd_name in NOUNS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # Typer looks for similar names among the commands that are loaded.
        if args and args[0] not in NOUNS:
            self.commands = dict.fromkeys(NOUNS)  # type: ignore[assignment]
        return super().resolve_command(ctx, args)


def noun_command(name: str) -> Any:
    """The command or group of one noun.

    Its file offers either `commands()`, a group's app, or `register(app)`, which adds single commands.
    """
    module = import_module(f"dataspine.cli.{NOUNS[name]}")
    if hasattr(module, "commands"):
        found: Any = get_group(module.commands())
        found.name = name
    else:
        app = typer.Typer()
        module.register(app)
        found = get_group(app).commands[name]
    return plain(found)


def plain(command: Any) -> Any:
    """The command with help as plain text, out of which no markup is read, and with values read plainly."""
    command.rich_markup_mode = None
    context = typer.Context(command, help_option_names=HELP_OPTIONS)
    read_plainly(command.get_params(context))
    for below in getattr(command, "commands", {}).values():
        plain(below)
    return command


def command_tree() -> Any:
    """The whole tree, its nouns not yet loaded."""
    app = typer.Typer(
        cls=LazyGroup,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": HELP_OPTIONS},
    )
    app.callback()(_dataspine)
    return plain(get_group(app))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dataspine {__version__}")
        raise typer.Exit


def _dataspine(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            envvar="DATASPINE_HOME",
            metavar="DIR",
            help="Workspace. Default: the current directory if it holds a dataspine.toml, else ./workspace.",
        ),
    ] = None,
    now: Annotated[
        str | None,
        typer.Option(
            envvar="DATASPINE_NOW",
            metavar="INSTANT",
            help="Hold the date still at this instant, for rehearsals.",
        ),
    ] = None,
    actor: Annotated[
        str | None,
        typer.Option(
            envvar="DATASPINE_ACTOR", metavar="NAME", help="Name in the audit log. Default: your login."
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Market data in, exact and accounted for.

    --home, --now and --actor may stand anywhere on the line. Results go to stdout, narration to stderr.

    Exit codes: 0 done, 1 done with findings, 2 request or configuration, 3 busy, 4 source failed,
    5 storage failed, 130 interrupted.
    """
    del version
    context.obj = desk_from_options(home, now, actor)
