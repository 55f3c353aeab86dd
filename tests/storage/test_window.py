from __future__ import annotations

import threading
import time

import pytest

from shardmill.storage.window import in_order


class Gauge:
    """How many calls are under way, and what their results and those that wait weigh."""

    def __init__(self) -> None:
        self.active = self.most_active = 0
        self._lock = threading.Lock()

    def __call__(self, number: int) -> int:
        with self._lock:
            self.active += 1
            self.most_active = max(self.most_active, self.active)
        time.sleep(0.002 * (number % 5))
        with self._lock:
            self.active -= 1
        if number == 13:
            raise ValueError("unlucky")
        return number * number


@pytest.mark.parametrize("at_once", [1, 2, 7])
def test_results_and_errors_come_in_order(at_once: int) -> None:
    gauge = Gauge()
    seen: list[int | str] = []
    for number, result in in_order(gauge, range(30), at_once):
        try:
            assert result() == number * number
            seen.append(number)
        except ValueError as error:
            seen.append(str(error))
    assert seen == [*range(13), "unlucky", *range(14, 30)]
    assert gauge.most_active <= at_once


def test_begun_are_at_most_so_many_and_so_heavy() -> None:
    begun: list[int] = []
    slow = in_order(begun.append, range(100), 8, cost=lambda number: 10, most_cost=35)
    next(slow)
    time.sleep(0.05)
    assert len(begun) == 3, "results of 10 bytes each, 35 allowed"
    wide = in_order(begun.append, range(100), 4)
    next(wide)
    time.sleep(0.05)
    assert len(begun) == 3 + 4


def test_one_alone_may_weigh_more() -> None:
    assert [result() for _, result in in_order(abs, [-1, -2, -3], 4, cost=lambda number: 50, most_cost=35)] == [1, 2, 3]


def test_closing_early_begins_no_more() -> None:
    begun: list[int] = []
    some = in_order(begun.append, range(1000), 4)
    next(some)
    some.close()  # type: ignore[attr-defined]  # a generator
    count = len(begun)
    time.sleep(0.05)
    assert len(begun) == count <= 5
