"""How long the event loop was kept from its work: measured all the time, logged when it is too long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from dataspine.clock import Clock

STALL_MAX_S = 0.05
"""The loop promises to be back after this time."""
BUSY_STEP_S, IDLE_STEP_S = 0.01, 0.25
_log = logging.getLogger(__name__)


class StallMeter:
    """Sleeps for short times and sees how much longer they took."""

    def __init__(self, clock: Clock, is_busy: Callable[[], bool]) -> None:
        self._clock = clock
        self._is_busy = is_busy
        self.worst_s = 0.0
        """The longest stall so far."""

    async def measure(self) -> None:
        """Measure until cancelled."""
        while True:
            step_s = BUSY_STEP_S if self._is_busy() else IDLE_STEP_S
            began_s = self._clock.monotonic_s()
            await asyncio.sleep(step_s)
            stall_s = self._clock.monotonic_s() - began_s - step_s
            if stall_s > max(self.worst_s, STALL_MAX_S):
                _log.warning("loop_stalled", extra={"stall_ms": round(stall_s * 1000, 1)})
            self.worst_s = max(self.worst_s, stall_s)
