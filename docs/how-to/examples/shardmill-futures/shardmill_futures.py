"""An engine over an executor of `concurrent.futures`: here, processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TypeVar

from shardmill.machine import available_cores

T = TypeVar("T")
R = TypeVar("R")


class FuturesEngine:
    """See `shardmill.engines.base.Engine`."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or available_cores()

    def run(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        executor = self._executor()
        try:
            for future in as_completed([executor.submit(work, item) for item in items]):
                yield future.result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def describe(self) -> dict[str, str | int]:
        return {"engine": "futures", "workers": self._workers}

    def _executor(self) -> Executor:
        return ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"))
