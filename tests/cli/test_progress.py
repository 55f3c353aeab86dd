from __future__ import annotations

import os
import pty
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import pytest

from shardmill.cli.progress import counting, measuring, progress_listener

Event = dict[str, Any]


def at(time: float, images: int, *, of: int = 12_000, left: int = 9, waiting: tuple[int, ...] = ()) -> Event:
    return {
        "time": time, "event": "progress", "images": images, "of": of, "shards_left": left, "waiting_for": list(waiting)
    }  # fmt: skip


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("time.monotonic", made)
    return made


class TestPlainLines:
    def test_one_after_two_seconds_and_one_every_ten(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        with progress_listener() as listener:
            for second in range(26):
                clock.now = 1_000 + second
                listener(at(second, second * 100))
        assert capsys.readouterr().err.splitlines() == [
            "200 of 12,000 images, 100/s, 1 min 58 s left, 9 shards to go",
            "1,200 of 12,000 images, 100/s, 1 min 48 s left, 9 shards to go",
            "2,200 of 12,000 images, 100/s, 1 min 38 s left, 9 shards to go",
        ]

    def test_nothing_of_a_short_run(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        with progress_listener() as listener:
            for second in range(2):
                clock.now = 1_000 + second
                listener(at(second, second))
        assert capsys.readouterr().err == ""

    def test_what_is_told_of_each_event(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        events: list[Event] = [
            {"event": "listing", "rows": 1_234_567},
            {"event": "planned", "inputs": 1},
            at(0, 0),
            at(10, 5_000, left=3, waiting=(4, 7, 15)),
            {"event": "shard", "name": "x"},
            {"event": "finishing"},
            {"event": "finished"},
        ]
        with progress_listener() as listener:
            for event in events:
                clock.now += 11
                listener(event)
        assert capsys.readouterr().err.splitlines() == [
            "listing: 1,234,567 images so far",
            "0 of 12,000 images, 9 shards to go",
            "5,000 of 12,000 images, 500/s, waiting for shards 4, 7, 15",
            "finishing: counting, looking for duplicates, writing the manifest",
        ]

    def test_the_rate_is_that_of_this_run(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        """What an earlier run has done is not counted as done now."""
        with progress_listener() as listener:
            listener(at(50, 10_000))
            clock.now += 10
            listener(at(60, 10_100))
        (line,) = capsys.readouterr().err.splitlines()
        assert line == "10,100 of 12,000 images, 10/s, 3 min 10 s left, 9 shards to go"

    def test_two_events_at_one_time(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        with progress_listener() as listener:
            listener(at(50, 0))
            clock.now += 10
            listener(at(50, 10))
        assert capsys.readouterr().err == "10 of 12,000 images, 9 shards to go\n"


class TestCounting:
    def test_plain_lines(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        with counting("shards checked", "records") as listener:
            for second in range(0, 31, 5):
                clock.now = 1_000 + second
                listener(second, 1_600, second * 1_000)
        assert capsys.readouterr().err.splitlines() == [
            "10 of 1,600 shards checked, 10,000 records",
            "20 of 1,600 shards checked, 20,000 records",
            "30 of 1,600 shards checked, 30,000 records",
        ]

    def test_nothing_of_a_short_run(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        with counting("shards checked", "records") as listener:
            listener(16, 16, 1)
        assert capsys.readouterr().err == ""


class TestMeasuring:
    def test_the_time_left_is_that_of_the_passes_made_now(
        self, clock: Clock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with measuring() as listener:
            listener(40, 100, 0)  # kept from before
            for second in range(10, 31, 10):
                clock.now = 1_000 + second
                listener(40 + second, 100, second * 1_000)
        assert capsys.readouterr().err.splitlines() == [
            "50 of 100 passes made, 10,000 images read, 50.0 s left",
            "60 of 100 passes made, 20,000 images read, 40.0 s left",
            "70 of 100 passes made, 30,000 images read, 30.0 s left",
        ]


class Terminal:
    """A terminal of our own, and what is shown on it."""

    def __init__(self, descriptor: int, stderr: TextIO) -> None:
        self._descriptor, self._stderr = descriptor, stderr

    def shown(self) -> str:
        """All of it since the last call."""
        self._stderr.flush()
        parts = []
        while select.select([self._descriptor], [], [], 0.1)[0]:
            parts.append(os.read(self._descriptor, 1 << 16))
        return b"".join(parts).decode()


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Stderr is a terminal. No fixture: pytest puts its own stderr in place again when a test begins."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stderr, monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", stderr)
        patched.setenv("TERM", "xterm")
        patched.setenv("COLUMNS", "120")
        yield Terminal(ours, stderr)
    os.close(ours)


class TestOnATerminal:
    def test_bar_comes_after_two_seconds_and_goes_at_the_end(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with terminal(monkeypatch) as screen:
            with progress_listener() as listener:
                listener(at(0, 0))
                assert screen.shown() == ""
                clock.now += 3
                listener(at(3, 6_000))
                assert "6,000 of 12,000 images, 2,000/s, 3.0 s left, 9 shards to go" in screen.shown()
            assert screen.shown().endswith("\x1b[2K"), "the bar is not wiped off"

    def test_nothing_of_a_short_run(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        with terminal(monkeypatch) as screen:
            with progress_listener() as listener:
                listener(at(0, 0))
                clock.now += 1
                listener(at(1, 12_000))
            assert screen.shown() == ""

    def test_counting_overwrites_its_line_and_wipes_it(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        with terminal(monkeypatch) as screen:
            with counting("shards checked", "records") as listener:
                clock.now += 3
                listener(1, 2, 30)
                clock.now += 1
                listener(2, 2, 60)
            first, second = "1 of 2 shards checked, 30 records", "2 of 2 shards checked, 60 records"
            assert screen.shown() == f"\r{first}\x1b[K\r{second}\x1b[K\r\x1b[K"
