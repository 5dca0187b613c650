"""Where a command that changes something logs: a file of JSON lines in the workspace, bounded in size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.store.database import named_errors
from dataspine.store.filesystem import make_private_directory

if TYPE_CHECKING:
    from dataspine.service.desk import Desk

LOG_NAME = "dataspine.jsonl"
MAX_LOG_BYTES = 16 * 1024**2
"""Beyond this size the file is set aside as `dataspine.jsonl.1` when the next command starts."""


def log_to_workspace(desk: Desk, name: str = LOG_NAME) -> None:
    """Send this process's log lines to a log of the workspace, at the level of its configuration.

    Raises: ConfigError, StorageError.
    """
    from dataspine.logging_config import setup_logging

    level = desk.settings.log_level
    with named_errors(desk.home):
        path = logs_folder(desk.home) / name
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_name(f"{name}.1"))
        setup_logging(level, file=path)


def logs_folder(home: Path) -> Path:
    """The workspace's folder of logs, made if it is not there; nobody else can read it."""
    make_private_directory(home)
    make_private_directory(home / "logs")
    return home / "logs"
