"""How the tour is told: a numbered step, the command that does the same for the user, and what came of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path


class Tour:
    """Tells the steps of a demo, in lines."""

    def __init__(self, say: Callable[[str], None] | None) -> None:
        self._say = say or (lambda line: None)
        self._steps = 0

    def step(self, title: str, command: str = "") -> None:
        """Begin the next step."""
        if self._steps:
            self._say("")
        self._steps += 1
        self._say(f"{self._steps}. {title}")
        if command:
            self._say(f"   $ shardmill {command}")

    def tell(self, line: str) -> None:
        """What came of it."""
        self._say(f"   {line}")

    def end(self, *lines: str) -> None:
        """What to look at."""
        self._say("")
        for line in lines:
            self._say(line)


def quoted(path: Path) -> str:
    """As it is typed."""
    return shlex.quote(str(path))
