"""Progress on stderr: a bar on a terminal, plain lines elsewhere, nothing at all for what is over in two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from shardmill.operations.prepare.events import Event
from shardmill.units import format_bytes, format_count, format_seconds

_QUIET_S: Final = 2.0
_PLAIN_EVERY_S: Final = 10.0


@contextmanager
def progress_listener() -> Iterator[Callable[[Event], None]]:
    """A listener for the events of `prepare`."""
    if sys.stderr.isatty():
        with _bar() as listener:
            yield listener
    else:
        yield _PlainLines()


class _PlainLines:
    def __init__(self) -> None:
        self._started = time.monotonic()
        self._last = self._started + _QUIET_S - _PLAIN_EVERY_S
        self._rate = Rate()

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if event["event"] == "progress":
            self._rate.update(event)
        if now - self._last < _PLAIN_EVERY_S or now - self._started < _QUIET_S:
            return
        text = describe(event, self._rate)
        if text:
            self._last = now
            print(text, file=sys.stderr, flush=True)


class Rate:
    """Images a second since the first report of this run."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self.per_second = 0.0
        self.seconds_left: float | None = None

    def update(self, event: Event) -> None:
        now, images = event["time"], event["images"]
        if self._first is None:
            self._first = (now, images)
            return
        elapsed = now - self._first[0]
        self.per_second = (images - self._first[1]) / elapsed if elapsed > 0 else 0.0
        self.seconds_left = (event["of"] - images) / self.per_second if self.per_second > 0 else None


def describe(event: Event, rate: Rate) -> str:
    """One line about `event`; empty where there is nothing to say."""
    if event["event"] == "listing":
        return f"listing: {event['rows']:,} images so far"
    if event["event"] == "finishing":
        return "finishing: counting, looking for duplicates, writing the manifest"
    if event["event"] != "progress":
        return ""
    text = f"{event['images']:,} of {event['of']:,} images"
    if rate.per_second:
        text += f", {rate.per_second:,.0f}/s"
    if event["waiting_for"]:
        return f"{text}, waiting for shards {', '.join(map(str, event['waiting_for']))}"
    if rate.seconds_left is not None:
        text += f", {format_seconds(rate.seconds_left)} left"
    return f"{text}, {format_count(event['shards_left'], 'shard')} to go"


@contextmanager
def _bar() -> Iterator[Callable[[Event], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    rate = Rate()
    started = time.monotonic()
    bar = Progress(
        BarColumn(bar_width=30),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=4,
    )
    task = bar.add_task("", total=None)
    shown = False

    def listener(event: Event) -> None:
        nonlocal shown
        if event["event"] == "progress":
            rate.update(event)
            bar.update(task, total=event["of"], completed=event["images"])
        text = describe(event, rate)
        if text:
            bar.update(task, description=text)
        if not shown and time.monotonic() - started > _QUIET_S:
            shown = True
            bar.start()

    try:
        yield listener
    finally:
        if shown:
            bar.stop()


@contextmanager
def counting(what: str, details: str) -> Iterator[Callable[[int, int, int], None]]:
    """A listener for `(done, of, details)`: "3 of 16 shards checked, 12,000 records"."""
    with _one_line() as show:
        yield lambda done, of, count: show(f"{done:,} of {of:,} {what}, {count:,} {details}")


@contextmanager
def measuring() -> Iterator[Callable[[int, int, int], None]]:
    """A listener for `(passes, of, images)`: "39 of 240 passes made, 141,056 images read, 2 min 10 s left"."""
    first: list[tuple[float, int]] = []

    def text(done: int, of: int, images: int) -> str:
        first[:] = first or [(time.monotonic(), done)]
        started, had = first[0]
        left = (
            f", {format_seconds((time.monotonic() - started) / (done - had) * (of - done))} left" if done > had else ""
        )
        return f"{done:,} of {of:,} passes made, {images:,} images read{left}"

    with _one_line() as show:
        yield lambda done, of, images: show(text(done, of, images))


@contextmanager
def fetching() -> Iterator[Callable[[int, int], None]]:
    """A listener for `(bytes there, bytes in all)`: "12 MB of 229 MB, 8.0 MB/s, 27.1 s left"."""
    first: list[tuple[float, int]] = []

    def text(done: int, of: int) -> str:
        first[:] = first or [(time.monotonic(), done)]
        started, had = first[0]
        rate = (done - had) / max(time.monotonic() - started, 1e-9)
        left = f", {format_bytes(rate)}/s, {format_seconds((of - done) / rate)} left" if rate else ""
        return f"{format_bytes(done)} of {format_bytes(of)}{left}"

    with _one_line() as show:
        yield lambda done, of: show(text(done, of))


@contextmanager
def _one_line() -> Iterator[Callable[[str], None]]:
    """Shows the newest text: in place on a terminal, a line every ten seconds elsewhere."""
    started = last = time.monotonic()
    on_terminal = sys.stderr.isatty()

    def show(text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - started < _QUIET_S or now - last < (0.2 if on_terminal else _PLAIN_EVERY_S):
            return
        last = now
        print(f"\r{text}\033[K" if on_terminal else text, end="" if on_terminal else "\n", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if on_terminal and last > started:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
