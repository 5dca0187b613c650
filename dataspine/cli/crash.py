"""A crash report: what a bug leaves behind, a trace without values in the workspace's logs."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from dataspine import __version__
from dataspine.cli.desk import default_home
from dataspine.cli.logs import logs_folder
from dataspine.cli.output import narrate
from dataspine.cli.tree import NOUNS
from dataspine.clock import SystemClock, iso_from_us


def report_crash(error: Exception, arguments: Sequence[str]) -> None:
    """Write the report and say on two lines what happened and where the report is."""
    narrate(f"error: dataspine failed in a way nobody foresaw ({type(error).__name__})")
    try:
        path = _write_report(error, home_from_arguments(arguments) or default_home())
    except OSError as obstacle:
        narrate(
            f"No report could be written ({obstacle.strerror}); stored records are safe, please report the bug."
        )
        return
    narrate(f"Stored records are safe; please report the bug with {path}.")


def home_from_arguments(arguments: Sequence[str]) -> Path | None:
    """The workspace that the command line names, if any."""
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == "--home":
            following = arguments[place + 1 : place + 2]
            return Path(value) if equals else Path(*following)
    return None


def _write_report(error: Exception, home: Path) -> Path:
    """Frames and messages only: local variables may hold vendor data and secrets."""
    at_us = SystemClock().now_us()
    lines = [
        f"dataspine {__version__}, Python {sys.version.split()[0]}, {sys.platform}, {iso_from_us(at_us)}\n",
        f"command: {command_words(sys.argv[1:])}\n",
        *traceback.format_exception(error),
    ]
    path = logs_folder(home) / f"crash-{at_us}-{os.getpid()}.log"
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as report:
        report.writelines(lines)
    return path


def command_words(arguments: Sequence[str]) -> str:
    """The nouns and options of a command line; values stay out, they may be secrets."""
    words = [argument.partition("=")[0] for argument in arguments]
    return " ".join(word for word in words if word.startswith("-") or word in NOUNS)
