"""An engine's tenure: the lease taken, kept alive and given back, and workspaces that are fenced by it."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from dataspine.audit import anchors
from dataspine.clock import machine_clock
from dataspine.engine.build import ENGINE
from dataspine.engine.jobs import put_back_lost
from dataspine.errors import BusyError
from dataspine.pipeline.spine import Spine, owner
from dataspine.schemas.audit_event import EventType, NewEvent
from dataspine.store import audit_events, lease
from dataspine.store.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from dataspine.clock import Clock
    from dataspine.engine.build import EngineSetup
    from dataspine.schemas.job import Lease
    from dataspine.store.sqlite import Connection

TRIES = 5
TRY_AGAIN_S = 0.1
"""A process that looks whether an engine lives holds its lock for an instant."""


class Tenure:
    """The time from taking the lease to giving it back."""

    def __init__(self, setup: EngineSetup) -> None:
        self._setup = setup
        self._clock = machine_clock(setup.clock)
        self._lock = lease.EngineLock(setup.home)
        self.spine = Spine(Workspace(setup.home, setup.clock), ENGINE)
        self.before: Lease | None = None
        """The lease of the engine before this one."""
        self._anchor: anchors.Anchor | None = None
        try:
            self.lease = self._taken()
        except BaseException:
            self._close()
            raise
        self._fence(self.spine)

    @property
    def token(self) -> int:
        """The fencing token of this tenure."""
        return self.lease.token

    def take_over(self) -> int:
        """Put back what the engine before left in hand; how many slices."""
        return self.put_back_lost(in_hand=())

    def put_back_lost(self, *, in_hand: Collection[tuple[int, int]]) -> int:
        """Put back every running slice that no worker has in hand; how many."""
        with self.spine.workspace.database.transaction() as tx:
            return put_back_lost(self.spine, tx, in_hand=in_hand, why="its engine died or could not write")

    def fenced_spine(self) -> Spine:
        """Another connection for another thread, which can write as long as the lease is held."""
        spine = Spine(Workspace(self._setup.home, self._setup.clock), ENGINE)
        self._fence(spine)
        return spine

    def beat(self) -> None:
        """Give a sign of life.

        Raises: LeaseLost, BusyError, StorageError.
        """
        # The fence of the transaction is the heartbeat.
        with self.spine.workspace.database.transaction():
            pass

    def end(self, *, last: Callable[[], None]) -> None:
        """Put back what is still in hand and give the lease back: whatever runs on under it can write nothing.

        `last` is done before everything is closed.

        Raises: LeaseLost if it was taken by another engine.
        """
        try:
            with self.spine.workspace.database.transaction() as tx:
                put_back_lost(self.spine, tx, in_hand=(), why="the engine was stopped")
                event = NewEvent(EventType.LEASE_RELEASED, "lease", str(self.token), self.lease.owner, None)
                self.spine.record(tx, event)
                lease.release(tx, self.token, now_us=self._clock.now_us())
            self.spine.anchor()
            last()
        finally:
            self._close()

    def anchor_if_due(self) -> None:
        """Keep the newest audit hash outside the database when enough has happened since the last time."""
        newest = audit_events.last(self.spine.workspace.database.connection)
        now_us = self._setup.clock.now_us()
        if newest is not None and anchors.needs_anchor(self._anchor, newest.sequence, now_us):
            self.spine.anchor()
            self._anchor = anchors.Anchor(newest.sequence, newest.hash, now_us)

    def abandon(self) -> None:
        """Close everything without a word to the database: the lease belongs to somebody else, or storage failed."""
        self._close()

    def _taken(self) -> Lease:
        for _ in range(TRIES - 1):
            with suppress(BusyError):
                return self._take()
            self._setup.clock.sleep_s(TRY_AGAIN_S)
        return self._take()

    def _take(self) -> Lease:
        with self.spine.workspace.database.transaction() as tx:
            self.before = lease.read(tx)
            taken = lease.take(tx, self._lock, owner=owner(), now_us=self._clock.now_us())
            metadata = {"token": taken.token}
            event = NewEvent(
                EventType.LEASE_TAKEN,
                "lease",
                str(taken.token),
                self.before.owner or None if self.before else None,
                taken.owner,
                metadata,
            )
            self.first_event = self.spine.record(tx, event)
        return taken

    def _fence(self, spine: Spine) -> None:
        spine.workspace.lease_token = self.token
        spine.workspace.database.fence = partial(_beat, clock=self._clock, token=self.token)

    def _close(self) -> None:
        self._lock.unlock()
        self.spine.workspace.database.close()


def _beat(tx: Connection, *, clock: Clock, token: int) -> None:
    lease.beat(tx, token, now_us=clock.now_us())
