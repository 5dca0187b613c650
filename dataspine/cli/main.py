"""The command `dataspine`: from the command line to an exit code, and what becomes of an error on the way."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from dataspine import __version__

if TYPE_CHECKING:
    from dataspine.errors import DataspineError

GLOBAL_OPTIONS = ("--home", "--now", "--actor")
"""Options with a value that may stand anywhere on the line."""
DONE, CRASHED, MISUSED, INTERRUPTED = 0, 1, 2, 130


def entry() -> NoReturn:
    """Run the command line and exit."""
    arguments = sys.argv[1:]
    # Answered before anything is imported: scripts ask for it often.
    if arguments == ["--version"]:
        sys.stdout.write(f"dataspine {__version__}\n")
        raise SystemExit(DONE)
    raise SystemExit(run_command(global_options_first(arguments)))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command line, global options first; its exit code."""
    from dataspine.errors import DataspineError

    _keep_streams_writable()
    try:
        code = _invoked(arguments)
        sys.stdout.flush()
    except DataspineError as error:
        return _refused(error)
    except BrokenPipeError:
        return _unread()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the border: above us nobody could tell the operator anything
        from dataspine.cli.crash import report_crash

        report_crash(error, arguments)
        return CRASHED
    return code


def global_options_first(arguments: Sequence[str]) -> list[str]:
    """The same arguments with the global options in front, where the main group reads them.

    Nothing after `--` is moved.
    """
    first: list[str] = []
    rest: list[str] = []
    place = 0
    while place < len(arguments):
        argument = arguments[place]
        if argument == "--":
            return [*first, *rest, *arguments[place:]]
        size = 2 if argument in GLOBAL_OPTIONS else 1
        is_global = argument.partition("=")[0] in GLOBAL_OPTIONS
        (first if is_global else rest).extend(arguments[place : place + size])
        place += size
    return first + rest


def _invoked(arguments: Sequence[str]) -> int:
    import typer

    from dataspine.cli.tree import command_tree

    tree = command_tree()
    try:
        with tree.make_context("dataspine", list(arguments)) as context:
            tree.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, EOFError):
        return INTERRUPTED
    except typer.TyperException as error:
        return _misused(error)
    return DONE


def _misused(error: Any) -> int:
    """Say what is wrong with the command line; without any command, that is its help."""
    from dataspine.cli.output import narrate

    text, context = error.format_message(), getattr(error, "ctx", None)
    if context is not None and text == context.get_help():
        narrate(text)
        return MISUSED
    narrate(f"error: {text}\nTry `{context.command_path if context else 'dataspine'} --help`.")
    return MISUSED


def _refused(error: DataspineError) -> int:
    """Say what, found and where on one line, and the cure on the next."""
    from dataspine.cli.output import narrate_error

    narrate_error(error)
    return error.exit_code


def _unread() -> int:
    """Leave quietly when whoever read our output has gone."""
    # The interpreter flushes stdout once more at its end and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


def _keep_streams_writable() -> None:
    """Let no character be an error where the terminal's encoding lacks it."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
