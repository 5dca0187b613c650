"""From the global options to the desk that every command works at."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.clock import Clock, HeldClock, SystemClock, us_from_datetime
from dataspine.errors import RequestError
from dataspine.schemas.audit_event import Actor, Channel
from dataspine.service.desk import Desk

if TYPE_CHECKING:
    import typer

CONFIG_NAME = "dataspine.toml"
DEFAULT_HOME = Path("workspace")


def desk_of(context: typer.Context) -> Desk:
    """The desk of this call."""
    desk = context.find_object(Desk)
    if desk is None:
        raise RuntimeError("a command runs under the main group, which sets the desk")
    return desk


def desk_from_options(home: Path | None, now: str | None, actor: str | None = None) -> Desk:
    """The desk at `--home`, with the clock of `--now` and the name of `--actor`.

    Raises: RequestError if `now` is no instant.
    """
    return Desk(home or default_home(), clock_from_text(now), Actor(actor or operator_name(), Channel.CLI))


def default_home() -> Path:
    """The current directory if it is a workspace, else `workspace` below it."""
    return Path() if Path(CONFIG_NAME).exists() else DEFAULT_HOME


def clock_from_text(instant: str | None) -> Clock:
    """The machine's clock, or one that stands at an ISO 8601 instant with its offset.

    Raises: RequestError if the text is no such instant.
    """
    if instant is None:
        return SystemClock()
    return HeldClock(instant_us(instant, option="--now"))


def instant_us(text: str, *, option: str) -> int:
    """Microseconds UTC of an ISO 8601 instant that an option gave.

    Raises: RequestError if it is none, or has no offset.
    """
    from datetime import datetime

    try:
        return us_from_datetime(datetime.fromisoformat(text))
    except ValueError as error:
        raise RequestError(
            f"{option} must be an instant with its offset",
            found=text,
            cure="Write it like 2026-01-09T14:30:00Z",
        ) from error


def operator_name() -> str:
    """The user of this machine who types."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
