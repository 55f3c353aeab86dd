"""Time as the simulated service tells it."""

from __future__ import annotations

import time


class Clock:
    """Runs as ours does, but can be put forward, so that a limit of ten minutes is seen to act at once."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._leaps: list[tuple[float, float]] = []

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._ahead_s

    def told(self, moment: float) -> float:
        """What this clock said at a time of ours."""
        return moment + sum(seconds for when, seconds in self._leaps if when <= moment)

    def reset(self) -> None:
        """As ours again; for when there are no clusters."""
        self._leaps.append((time.time(), -self._ahead_s))
        self._ahead_s = 0.0

    def advance(self, seconds: float) -> None:
        self._leaps.append((time.time(), seconds))
        self._ahead_s += seconds
