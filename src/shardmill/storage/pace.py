"""How many requests are under way at once: few at first, more while the store keeps up, half as many when it does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shardmill.storage.objects import TransientError

FIRST: Final = 4.0
"""Requests at once in the beginning: stores ask for rates that ramp up, and every worker of a cluster begins at once."""


class Pace:
    """Lets at most so many requests through at a time as the store has shown to bear.

    Each success allows one more until the store first asks to slow down (429 or 503), which halves the number; from then
    on it takes a whole round of successes to allow one more. Shared by the threads of a process.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._limit = min(FIRST, self._most)
        self._active = 0
        self._slowed = False
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """Requests allowed at once, now."""
        return int(self._limit)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait until one more request may be under way, for as long as the block runs."""
        with self._changed:
            self._changed.wait_for(lambda: self._active < self.limit)
            self._active += 1
        try:
            yield
        except TransientError as error:
            if error.throttled:
                self._set(max(1.0, self._limit / 2), slowed=True)
            raise
        else:
            self._set(min(self._most, self._limit + (1 / self._limit if self._slowed else 1)))
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify()

    def _set(self, limit: float, *, slowed: bool = False) -> None:
        with self._changed:
            self._limit = limit
            self._slowed = self._slowed or slowed
            self._changed.notify_all()
