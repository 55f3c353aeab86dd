"""Makes passes on Spark: as many at the same time as the cluster has slots, as a fleet loads its storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import psutil

from shardmill import isolation
from shardmill.engines.spark import SparkEngine
from shardmill.speedtest.local import CHILD_ENVIRONMENT, call_child
from shardmill.speedtest.material import Material
from shardmill.speedtest.passes import PassSettings, PassTask
from shardmill.speedtest.record import Measurement
from shardmill.speedtest.schedule import Pass
from shardmill.speedtest.summary import Group, Sum, add, sums_of

if TYPE_CHECKING:
    from pyspark import RDD

SETTINGS: Final = {"spark.speculation": "false"}
"""A copy of a slow task would measure again, and slow down what is measured beside it."""


class SparkRounds:
    """A cluster on which rounds of passes are made; what it measures is kept there until averages are made of it."""

    def __init__(self, engine: SparkEngine, slots: int) -> None:
        self._engine = engine
        self.slots = slots
        """Passes made at the same time."""

    def run(
        self, passes: Sequence[Pass], materials: Mapping[str, Material], settings: PassSettings
    ) -> tuple[list[Measurement], list[tuple[Group, Sum]]]:
        """The rows of `passes`, and their sums by factor, made where the rows are.

        Args:
            materials: by the name of the data set.

        Raises: see `SparkEngine.run`.
        """
        work: Callable[[Pass], list[Measurement]] = partial(_run_on_executor, self.slots, materials, settings)
        rows, sums = self._engine.run_cached(work, passes, _sums_by_factor)
        return [row for own in rows for row in own], sums


@contextmanager
def spark_rounds(master: str | None, on_progress: Callable[[int], None] | None = None) -> Iterator[SparkRounds]:
    """A cluster for as long as the block lasts: the session that is active, else one of our own.

    Args:
        on_progress: called with the number of passes that the round under way has made.
    """
    engine = SparkEngine(master=master, settings=SETTINGS, on_progress=on_progress)
    with engine.context() as context:
        yield SparkRounds(engine, context.defaultParallelism)


def _sums_by_factor(rdd: RDD[list[Measurement]]) -> list[tuple[Group, Sum]]:
    sums: list[tuple[Group, Sum]] = rdd.flatMap(sums_of).reduceByKey(add).collect()
    return sums


_children: dict[str, isolation.Child] = {}
"""Of a Python worker of Spark, which serves one task at a time and many in turn: one child a reader."""


def _run_on_executor(
    slots: int, materials: Mapping[str, Material], settings: PassSettings, what: Pass
) -> list[Measurement]:
    """Runs in a Python worker."""
    cell = replace(what.cell, concurrency=slots)
    if cell.reader not in _children:
        _children[cell.reader] = isolation.Child(CHILD_ENVIRONMENT)
    child = _children[cell.reader]
    task = PassTask(replace(what, cell=cell), materials[cell.dataset], settings)
    return call_child(child, task, isolation.Limits(memory_bytes=psutil.virtual_memory().total))
