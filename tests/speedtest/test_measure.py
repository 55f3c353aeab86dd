from __future__ import annotations

import itertools
import time
from collections.abc import Generator
from functools import partial

import pytest

from shardmill.speedtest.measure import Usage, measure
from shardmill.speedtest.reader import Batch, Begin


class SleepyReader:
    """Takes a known time for a window and for each batch."""

    def __init__(self, start_s: float = 0.0, batch_s: float = 0.0) -> None:
        self.start_s, self.batch_s = start_s, batch_s
        self.begun: list[int] = []
        self.handed_over = self.closed = 0

    def windows(self, batch_size: int, num_batches: int) -> Begin:
        return partial(self._window, batch_size, num_batches)

    def _window(self, batch_size: int, num_batches: int, number: int) -> Generator[Batch, None, None]:
        self.begun.append(number)
        time.sleep(self.start_s)
        try:
            for _ in range(num_batches):
                time.sleep(self.batch_s)
                self.handed_over += 1
                yield Batch(batch_size, 100 * batch_size, None)
        finally:
            self.closed += 1

    def close(self) -> None:
        pass


def test_one_window_where_no_time_is_asked_for() -> None:
    reader = SleepyReader()
    timing = measure(reader, 4, 3, min_seconds=0, first_window=7)
    assert (timing.repeats, timing.images, timing.bytes_read) == (1, 12, 1200)
    assert (reader.begun, reader.handed_over, reader.closed) == ([7], 3, 1)
    assert timing.device_bytes is None


def test_short_windows_are_repeated_until_there_is_enough_to_time() -> None:
    reader = SleepyReader(batch_s=0.001)
    timing = measure(reader, 2, 5, min_seconds=0.1, first_window=3)
    assert timing.elapsed_s >= 0.1
    assert 1 < timing.repeats <= 20  # a window takes 5 ms at least
    assert timing.images == timing.repeats * 10
    assert reader.begun == list(range(3, 3 + timing.repeats))
    assert reader.closed == timing.repeats


def test_the_first_batch_is_timed_apart() -> None:
    timing = measure(SleepyReader(start_s=0.02, batch_s=0.001), 2, 5, min_seconds=0)
    assert 0.021 <= timing.first_batch_s < timing.elapsed_s
    assert timing.elapsed_s >= 0.025


def test_what_happens_between_windows_is_not_timed() -> None:
    seen: list[int] = []

    def slowly(number: int) -> None:
        seen.append(number)
        time.sleep(0.05)

    timing = measure(SleepyReader(batch_s=0.001), 2, 2, min_seconds=0.01, before_window=slowly)
    assert seen == list(range(timing.repeats))
    assert timing.elapsed_s < 0.05 * timing.repeats


def test_usage_is_that_of_the_windows_alone() -> None:
    counter = itertools.count()

    def usage() -> Usage:
        call = next(
            counter
        )  # before and after in turn: a window uses 2 s and 30 bytes, what lies between 100 times that
        windows, between = (call + 1) // 2, call // 2
        return Usage(2.0 * windows + 200.0 * between, 30 * windows + 3000 * between)

    timing = measure(SleepyReader(batch_s=0.001), 1, 1, min_seconds=0.005, usage=usage)
    assert timing.cpu_s == 2.0 * timing.repeats
    assert timing.device_bytes == 30 * timing.repeats


def test_an_error_of_the_reader_reaches_the_caller() -> None:
    class Broken(SleepyReader):
        def _window(self, batch_size: int, num_batches: int, number: int) -> Generator[Batch, None, None]:
            yield from super()._window(batch_size, 1, number)
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        measure(Broken(), 1, 2)
