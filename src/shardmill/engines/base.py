"""The seam behind which machines run our tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar, runtime_checkable

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Runs one function over independent items, here or on a cluster.

    Every item's result is yielded exactly once, in any order. A lost worker's items are run again, and an item may run
    twice at once, so `work` must be safe to repeat. The first error that `work` raises stops the run and reaches the
    caller with its type and text. `work`, the items and the results must pickle. `work` is called from several threads
    or processes at once; it does heavy lifting in a child process of its own (`shardmill.isolation`). Closing the
    iterator early stops the workers.
    """

    def run(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]: ...

    def describe(self) -> dict[str, str | int]:
        """Facts of the run for the manifest: engine, workers or master, versions."""
        ...


@runtime_checkable
class CountsSteps(Protocol):
    """An engine that sees how far its workers are within their items."""

    def items_done(self) -> int:
        """Steps that all workers have noted in their journals since `run` began; for display only."""
        ...


@runtime_checkable
class CountsItems(Protocol):
    """An engine that hears of finished items before it can hand on their results."""

    on_progress: Callable[[int], None] | None
    """Called with the number of items done; for display only."""


@runtime_checkable
class StartsAhead(Protocol):
    """An engine that takes seconds to start, and can do so while its user is busy with something else."""

    def ahead(self, first: Callable[[], object]) -> AbstractContextManager[None]:
        """Begin to start, for all runs within the block; it does not wait. What was started ends with the block.

        Args:
            first: Prepares a worker for its first item; it pickles. It is called where that saves time, and tells
                nothing: not its result, and not that it failed.
        """
        ...
