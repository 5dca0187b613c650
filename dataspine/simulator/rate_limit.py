"""How many requests a vendor takes: a bucket of tokens that fills with the machine's time."""

from __future__ import annotations

import math
import threading

from dataspine.clock import Clock


class RateLimit:
    """At most `per_minute` requests at once, and as many again over each minute."""

    def __init__(self, per_minute: int, *, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(per_minute)
        self._filled_s = clock.monotonic_s()

    def take(self) -> int:
        """0 and a token less, or without any left the whole seconds until there is one."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            gained = (now_s - self._filled_s) * self._per_minute / 60
            self._tokens, self._filled_s = min(self._per_minute, self._tokens + gained), now_s
            if self._tokens >= 1:
                self._tokens -= 1
                return 0
            return math.ceil((1 - self._tokens) * 60 / self._per_minute)
