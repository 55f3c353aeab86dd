"""What a run tells while it goes on, for progress bars and log collectors."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shardmill.errors import UsageError

Event = dict[str, Any]
Listener = Callable[[Event], None]


class Announcer:
    """Passes events to all listeners, one at a time, with the time of each."""

    def __init__(self, listeners: list[Listener]) -> None:
        self._listeners = listeners
        self._lock = threading.Lock()

    def __call__(self, event: str, **facts: Any) -> None:  # noqa: ANN401  # JSON values
        message = {"time": round(time.time(), 3), "event": event, **facts}
        with self._lock:
            for listener in self._listeners:
                listener(message)

    @contextmanager
    def every(self, seconds: float, event: str, facts: Callable[[], Event]) -> Iterator[None]:
        """Announce `event` over and over while the block runs, with what `facts` returns at the time."""
        over = threading.Event()

        def repeat() -> None:
            while not over.wait(seconds):
                self(event, **facts())

        thread = threading.Thread(target=repeat, name=f"announce {event}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextmanager
def event_file(path: str | None) -> Iterator[list[Listener]]:
    """A listener that appends each event to the file `path` as a line of JSON; none where `path` is None."""
    if path is None:
        yield []
        return
    try:
        file = Path(path).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115  # entered below, once it is known to open
    except OSError as error:
        raise UsageError(
            f"cannot write events to {path}: {error.strerror}. Choose another file for --events."
        ) from error
    with file:
        yield [lambda message: print(json.dumps(message), file=file)]
