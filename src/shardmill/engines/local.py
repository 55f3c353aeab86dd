"""This machine: one thread a worker, each of which keeps its work in a child process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from shardmill import isolation
from shardmill.errors import UsageError
from shardmill.machine import available_cores

T = TypeVar("T")
R = TypeVar("R")


class LocalEngine:
    """Runs tasks on this machine.

    Args:
        workers: tasks at once; one a core by default.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise UsageError(f"--workers is {workers}; it takes a number of at least 1")
        self.workers = workers or available_cores()
        self._children: list[isolation.Child] = []

    def run(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        self._children = []
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="worker", initializer=self._adopt_child)
        try:
            for future in as_completed([pool.submit(work, item) for item in items]):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in self._children:
                child.stop()
            pool.shutdown(wait=True)
            for child in self._children:
                child.close()

    def _adopt_child(self) -> None:
        child = isolation.Child()
        self._children.append(child)
        isolation.adopt(child)

    def items_done(self) -> int:
        """Items that the children have finished so far, for display only."""
        return sum(child.items_done() for child in self._children)

    def describe(self) -> dict[str, str | int]:
        return {"engine": "local", "workers": self.workers}
