"""What every attempt needs: the workspace, who acts, and which code runs."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from dataspine import __version__
from dataspine.audit import anchors, writer
from dataspine.schemas.audit_event import ChainHead, NewEvent
from dataspine.store import audit_events

if TYPE_CHECKING:
    from dataspine.clock import Clock
    from dataspine.schemas.audit_event import Actor
    from dataspine.schemas.source import SourceProfile
    from dataspine.store.sqlite import Connection
    from dataspine.store.workspace import Workspace

OPERATION = frozenset(
    {"schedule", "schedule_zone", "calendar", "catch_up", "retry", "rate", "take", "done_marker"}
)
"""Keys of a profile that say when and how often, and never what a record becomes."""
HEART_PACKAGES = ("schemas", "normalization", "validation", "adapters", "pipeline")


@dataclass(frozen=True, slots=True)
class Spine:
    """A workspace that somebody is working on."""

    workspace: Workspace
    actor: Actor

    @property
    def clock(self) -> Clock:
        """The workspace's clock."""
        return self.workspace.clock

    def record(self, tx: Connection, event: NewEvent) -> int:
        """Write an audit event in the caller's transaction; its sequence."""
        return writer.append(tx, event, actor=self.actor, at_us=self.clock.now_us())

    def anchor(self) -> None:
        """Keep the newest audit hash outside the database, so that a cut-off log is found out."""
        newest = audit_events.last(self.workspace.database.connection)
        if newest is not None:
            head = ChainHead(newest.sequence, newest.hash)
            anchors.append_anchor(self.workspace.home / anchors.FILE_NAME, head, at_us=self.clock.now_us())


def profile_text(profile: SourceProfile) -> tuple[str, str]:
    """What a profile makes of records, as canonical JSON, and its hash."""
    table = profile.model_dump(mode="json", by_alias=True, exclude=set(OPERATION))
    text = json.dumps(table, sort_keys=True, separators=(",", ":"))
    return text, hashlib.sha256(text.encode()).hexdigest()


@cache
def code_version() -> str:
    """Version and hash of the code that judges records: `0.1.0+1f2e3d4c5b6a`."""
    digest = hashlib.sha256()
    for package in HEART_PACKAGES:
        for entry in sorted(files("dataspine").joinpath(package).iterdir(), key=lambda item: item.name):
            if entry.name.endswith((".py", ".toml")):
                digest.update(entry.name.encode() + b"\0" + entry.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"


@cache
def owner() -> str:
    """The process at hand, as runs name it."""
    return f"{os.uname().nodename}:{os.getpid()}"
