"""The desk: one operator at one workspace, through which every front end reads and acts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.errors import RequestError

if TYPE_CHECKING:
    from dataspine.clock import Clock
    from dataspine.config import Settings
    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.audit_event import Actor
    from dataspine.schemas.source import SourceProfile
    from dataspine.store.database import Database


@dataclass(frozen=True)
class Desk:
    """A workspace, who acts on it, and the clock; nothing is opened before it is needed."""

    home: Path
    clock: Clock
    actor: Actor

    @cached_property
    def settings(self) -> Settings:
        """The workspace's configuration.

        Raises: ConfigError with file, key, line and cure.
        """
        from dataspine.config import read_settings

        return read_settings(self.home)

    def profile(self, source: str) -> SourceProfile:
        """A configured source.

        Raises: RequestError if there is none of that name.
        """
        found = self.settings.sources.get(source)
        if found is None:
            raise RequestError(
                "there is no such source",
                found=source,
                where=str(self.settings.file or self.home),
                cure="`dataspine sources list` names them: "
                + (", ".join(self.settings.sources) or "none yet"),
            )
        return found

    @contextmanager
    def reading(self) -> Iterator[Database]:
        """The database, read-only."""
        from dataspine.store.workspace import open_for_reading

        with open_for_reading(self.home) as database:
            yield database

    @contextmanager
    def acting(self) -> Iterator[Spine]:
        """The workspace for writing; an audit anchor is kept when it is left."""
        from dataspine.pipeline.spine import Spine
        from dataspine.store.workspace import Workspace

        with Workspace(self.home, self.clock) as workspace:
            spine = Spine(workspace, self.actor)
            _record_new_schema(spine)
            try:
                yield spine
            finally:
                spine.anchor()


def _record_new_schema(spine: Spine) -> None:
    """Write down that this process made the database, or brought its tables to a newer version."""
    if not spine.workspace.migrated:
        return
    from dataspine.schemas.audit_event import EventType, NewEvent
    from dataspine.store import audit_events
    from dataspine.store.migrations import schema_version

    database = spine.workspace.database
    version = schema_version(database)
    with database.transaction() as tx:
        is_new = audit_events.last(tx) is None
        kind = EventType.WORKSPACE_CREATED if is_new else EventType.SCHEMA_MIGRATED
        spine.record(tx, NewEvent(kind, "schema", str(version)))
