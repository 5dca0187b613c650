"""The gate before a vendor: a request goes through when the vendor's bucket has a token for its lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataspine.scheduling.rate import take
from dataspine.store import rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataspine.pipeline.spine import Spine
    from dataspine.schemas.job import Lane
    from dataspine.schemas.source import SourceProfile


class RateGate:
    """Called before each request to a vendor; returns when it may go."""

    def __init__(
        self, spine: Spine, profile: SourceProfile, *, lane: Lane, wait_s: Callable[[float], None]
    ) -> None:
        self._spine = spine
        self._settings = profile.rate
        self._vendor = profile.rate.vendor or profile.name
        self._lane = lane
        self._wait_s = wait_s

    def __call__(self) -> None:
        while (delay_s := self._ask()) > 0:
            self._wait_s(delay_s)

    def _ask(self) -> float:
        """Take a token, or say how long to wait."""
        with self._spine.workspace.database.transaction() as tx:
            now_us = self._spine.clock.now_us()
            tokens, refilled_us = rate.read(tx, self._vendor) or (float(self._settings.burst), now_us)
            grant = take(tokens, refilled_us, self._settings, now_us, self._lane)
            rate.save(tx, self._vendor, tokens=grant.tokens, refilled_us=now_us)
        return grant.wait_s
