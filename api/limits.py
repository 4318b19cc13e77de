"""A token bucket per reader, in memory: enough for one process, and honest about what is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimiter:
    """Allows ``per_minute`` requests a minute and key, in bursts of up to the same number."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60
        self._size = float(per_minute)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> tuple[bool, int, float]:
        """Take one request. Returns whether it is allowed, how many are left, and seconds until the next one."""
        now = self._clock()
        with self._lock:
            level, then = self._buckets.get(key, (self._size, now))
            level = min(self._size, level + (now - then) * self._rate)
            allowed = level >= 1
            if allowed:
                level -= 1
            self._buckets[key] = (level, now)
            if len(self._buckets) > 10_000:  # full buckets carry no information
                self._buckets = {
                    k: v for k, v in self._buckets.items() if v[0] + (now - v[1]) * self._rate < self._size
                }
        return allowed, int(level), 0.0 if level >= 1 else (1 - level) / self._rate
