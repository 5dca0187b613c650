"""Making a workspace: its folder, its commented configuration, its database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.store.database import named_errors
from dataspine.store.filesystem import make_private_directory, sync_directory

if TYPE_CHECKING:
    from dataspine.service.desk import Desk

CONFIG_NAME = "dataspine.toml"
DROP_NAME = "drop"
"""Folder that the default sources read."""


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """What `init` made."""

    home: Path
    config: Path
    database: Path
    drop: Path
    wrote_config: bool
    """False where a configuration stood already."""


def make_workspace(desk: Desk, *, force_config: bool = False) -> NewWorkspace:
    """Make what is missing at the desk's home; a configuration that is there stays, unless forced.

    Raises: ConfigError if the configuration that stays is wrong; StorageError.
    """
    home = desk.home
    config, drop = home / CONFIG_NAME, home / DROP_NAME
    with named_errors(home):
        make_private_directory(home)
        make_private_directory(drop)
        wrote_config = force_config or not config.exists()
        if wrote_config:
            write_config(config, config_template())
    _ = desk.settings
    with desk.acting() as spine:
        database = spine.workspace.database.path
    return NewWorkspace(home, config, database, drop, wrote_config)


def config_template() -> str:
    """The configuration that `init` writes."""
    return files("dataspine.service").joinpath(CONFIG_NAME).read_text(encoding="utf-8")


def write_config(path: Path, text: str) -> None:
    """Put a configuration in place whole, mode 0600; a crash leaves the old one or the new one."""
    part = path.with_name(f".{path.name}.part")
    descriptor = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_directory(path.parent)
