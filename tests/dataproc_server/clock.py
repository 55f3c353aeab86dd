"""Time as the simulated service tells it."""

from __future__ import annotations

import time


class Clock:
    """Runs as ours does, but can be put forward, so that a limit of ten minutes is seen to act at once."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds
