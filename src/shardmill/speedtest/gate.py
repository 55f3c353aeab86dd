"""Keeps processes that measure at the same time in step, by a few bytes of shared memory.

Each sets its byte when it is ready, and again when it has measured; none begins before all are ready, and none stops
reading before all have measured, so that every measured second is one in which all of them read.
"""

from __future__ import annotations

import mmap
import time
from pathlib import Path
from typing import Final

READY: Final = 1
MEASURED: Final = 2
_POLL_S: Final = 0.0005


class Gate:
    """One process's part. Whoever waits waits without end: the parent ends all when one dies."""

    def __init__(self, path: str | Path, place: int) -> None:
        """`path`: a file of one zero byte a process; `place`: which of them is this one's."""
        with Path(path).open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._place = place

    def reach(self, state: int) -> None:
        """Tell the others."""
        self._memory[self._place] = state

    def all_are(self, state: int) -> bool:
        """All have reached `state`."""
        return min(self._memory[:]) >= state

    def wait_for(self, state: int) -> None:
        """Return when all have reached `state`."""
        while not self.all_are(state):
            time.sleep(_POLL_S)

    def close(self) -> None:
        self._memory.close()


def make_gate(path: str | Path, processes: int) -> None:
    """Write the file, anew."""
    Path(path).write_bytes(bytes(processes))
