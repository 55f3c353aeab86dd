from __future__ import annotations

import os
import pty
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from shardmill.cli import progress
from shardmill.cli.progress import counting, progress_listener

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
    monkeypatch.setattr(progress.time, "monotonic", made)
    return made


class TestPlainLines:
    def test_one_every_ten_seconds(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        with progress_listener() as listener:
            for second in range(26):
                clock.now = 1_000 + second
                listener(at(second, second * 100))
        assert capsys.readouterr().err.splitlines() == [
            "1,000 of 12,000 images, 100/s, 1 min 50 s left, 9 shards to go",
            "2,000 of 12,000 images, 100/s, 1 min 40 s left, 9 shards to go",
        ]

    def test_nothing_of_a_short_run(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        with progress_listener() as listener:
            for second in range(10):
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
            "0 of 12,000 images, 0/s, 9 shards to go",
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
        assert capsys.readouterr().err == "10 of 12,000 images, 0/s, 9 shards to go\n"


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


class Terminal:
    """A terminal of our own as stderr, and what is shown on it."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self.stderr = os.fdopen(theirs, "w", encoding="utf-8")

    def shown(self) -> str:
        self.stderr.flush()
        os.set_blocking(self._ours, False)
        try:
            return os.read(self._ours, 1 << 16).decode()
        except BlockingIOError:
            return ""

    def close(self) -> None:
        self.stderr.close()
        os.close(self._ours)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made.stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    yield made
    made.close()


class TestOnATerminal:
    def test_bar_comes_after_two_seconds_and_goes_at_the_end(self, clock: Clock, terminal: Terminal) -> None:
        with progress_listener() as listener:
            listener(at(0, 0))
            assert terminal.shown() == ""
            clock.now += 3
            listener(at(3, 6_000))
            assert "6,000 of 12,000 images, 2,000/s, 3.0 s left, 9 shards to go" in terminal.shown()
        assert terminal.shown().endswith("\x1b[2K"), "the bar is not wiped off"

    def test_nothing_of_a_short_run(self, clock: Clock, terminal: Terminal) -> None:
        with progress_listener() as listener:
            listener(at(0, 0))
            clock.now += 1
            listener(at(1, 12_000))
        assert terminal.shown() == ""

    def test_text_in_brackets_is_no_markup(self, clock: Clock, terminal: Terminal) -> None:
        with progress_listener() as listener:
            clock.now += 3
            listener({"event": "listing", "rows": 7})
            assert "listing: 7 images so far" in terminal.shown()

    def test_counting_overwrites_its_line_and_wipes_it(self, clock: Clock, terminal: Terminal) -> None:
        with counting("shards checked", "records") as listener:
            clock.now += 3
            listener(1, 2, 30)
            clock.now += 1
            listener(2, 2, 60)
        assert terminal.shown() == (
            "\r1 of 2 shards checked, 30 records\x1b[K\r2 of 2 shards checked, 60 records\x1b[K\r\x1b[K"
        )
