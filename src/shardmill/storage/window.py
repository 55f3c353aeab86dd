"""Does many slow things at once and hands their results on in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

WINDOW_BYTES: Final = 64_000_000
"""Of results that wait for their turn."""


def in_order(
    function: Callable[[T], R],
    items: Iterable[T],
    at_once: int,
    cost: Callable[[T], int] = lambda item: 0,
    most_cost: int = WINDOW_BYTES,
) -> Iterator[tuple[T, Callable[[], R]]]:
    """Each item with a call that returns, or raises, what `function` made of it; in the order of `items`.

    Up to `at_once` calls are under way or done and waiting, on threads, as long as the sum of their costs is at most
    `most_cost`; one alone may cost more. Nothing is begun before the first result is asked for. Closing the iterator waits
    for the calls that are under way.

    Args:
        cost: what the result of an item may weigh, in bytes of memory.
    """
    if at_once <= 1:
        for item in items:
            yield item, lambda item=item: function(item)  # type: ignore[misc]  # mypy cannot infer a default's type
        return
    waiting: deque[tuple[T, Future[R]]] = deque()
    weight = 0
    source = iter(items)
    held: list[T] = []
    with ThreadPoolExecutor(at_once, thread_name_prefix="window") as pool:
        while True:
            while len(waiting) < at_once:
                if not held:
                    held.extend(islice(source, 1))
                if not held or (waiting and weight + cost(held[0]) > most_cost):
                    break
                item = held.pop()
                weight += cost(item)
                waiting.append((item, pool.submit(function, item)))
            if not waiting:
                return
            item, future = waiting.popleft()
            yield item, future.result
            weight -= cost(item)
