"""What an engine works with, put together from a workspace's settings."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataspine.clock import Clock, FlowingClock, HeldClock
from dataspine.config import resolve_secret
from dataspine.errors import ConfigError
from dataspine.schemas.audit_event import Actor, Channel

if TYPE_CHECKING:
    from dataspine.config import Settings
    from dataspine.schemas.source import SourceProfile

ENGINE = Actor("engine", Channel.ENGINE)


@dataclass(frozen=True, slots=True)
class EngineSetup:
    """Workspace, sources, time and chance of an engine."""

    home: Path
    clock: Clock
    profiles: Mapping[str, SourceProfile]
    data_root: Path
    """Folder that sources' paths are relative to."""
    secrets: Callable[[str], str] = resolve_secret
    fraction: Callable[[], float] = random.random
    """Jitter of waits, in 0..1."""

    def profile(self, source: str) -> SourceProfile:
        """A configured source.

        Raises: ConfigError if there is none of that name.
        """
        found = self.profiles.get(source)
        if found is None:
            raise ConfigError(
                "there is no such source any more",
                found=source,
                where=str(self.home),
                cure="Put it back into dataspine.toml and retry, or cancel the job",
            )
        return found


def build(settings: Settings, clock: Clock, *, schedule: str | None = None) -> EngineSetup:
    """The setup of a workspace's engine; a date that is held still goes on from where it stands.

    `schedule` stands in for the sources' own.
    """
    # Waits and schedules need time that passes; a rehearsal begins at its instant and goes on.
    moving = FlowingClock(clock.now_us()) if isinstance(clock, HeldClock) else clock
    profiles = settings.sources
    if schedule is not None:
        changed = {"schedule": schedule}
        profiles = {name: profile.model_copy(update=changed) for name, profile in profiles.items()}
    return EngineSetup(settings.home, moving, profiles, settings.data_root)
