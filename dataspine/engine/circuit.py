"""A source's circuit: whom to leave alone, and what an attempt says of its vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataspine.scheduling.retry import health_after, let_through, may_try, policy_from_settings
from dataspine.schemas.audit_event import EventType, NewEvent
from dataspine.schemas.job import SourceState
from dataspine.store import source_health

if TYPE_CHECKING:
    from dataspine.engine.build import EngineSetup
    from dataspine.errors import DataspineError
    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.source import SourceProfile
    from dataspine.store.sqlite import Connection


def left_alone(connection: Connection, setup: EngineSetup) -> dict[str, int]:
    """Sources that may not be asked yet, and when they may, in microseconds UTC."""
    now_us = setup.clock.now_us()
    return {
        health.source: health.next_try_us
        for health in source_health.every(connection)
        if health.next_try_us is not None
        and (profile := setup.profiles.get(health.source)) is not None
        and not may_try(health, policy=policy_from_settings(profile.retry), now_us=now_us)
    }


def note_attempt(tx: Connection, setup: EngineSetup, source: str) -> None:
    """Let one attempt through; of a failed source no other goes before that one's end or the next try."""
    health, profile = source_health.find(tx, source), setup.profiles.get(source)
    if health.state is not SourceState.FAILED or profile is None:
        return
    policy = policy_from_settings(profile.retry)
    let = let_through(health, policy=policy, now_us=setup.clock.now_us())
    if let is not None:
        source_health.save(tx, let)


def note_end(spine: Spine, profile: SourceProfile, error: DataspineError | None, tx: Connection) -> None:
    """Let an attempt's end count for its source; a change of its state is written down."""
    before = source_health.find(tx, profile.name)
    after = health_after(
        before,
        ok=error is None,
        policy=policy_from_settings(profile.retry),
        now_us=spine.clock.now_us(),
        error=None if error is None else str(error),
    )
    source_health.save(tx, after)
    if after.state is not before.state:
        metadata = {"failures": after.failures, "error": after.last_error if error else None}
        kind = EventType.SOURCE_HEALTH_CHANGED
        spine.record(tx, NewEvent(kind, "source", profile.name, before.state, after.state, metadata))
