"""Makes passes on this machine: one at a time, by as many processes as its concurrency says."""

from __future__ import annotations

import math
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from shardmill import isolation
from shardmill.errors import ResumableError
from shardmill.speedtest.gate import make_gate
from shardmill.speedtest.neighbours import Neighbours
from shardmill.speedtest.passes import PassTask, run_pass
from shardmill.speedtest.record import Measurement

CHILD_ENVIRONMENT: Final = {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
"""Threads are a factor of the test; nothing else differs from the user's own processes, the allocator least of all."""

MOST_ATTEMPTS: Final = 3


class LocalProcesses:
    """The processes that read: for each reader as many as ever read at the same time, started when first needed."""

    def __init__(self) -> None:
        self._children: dict[tuple[str, int], isolation.Child] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="shardmill-")
        self._limits = isolation.Limits(memory_bytes=psutil.virtual_memory().total)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children.values():
            child.close()
        self._folder.cleanup()

    def run(self, task: PassTask) -> list[Measurement]:
        """The rows of one pass: of warm-ups first, then one for each process.

        A pass that other processes of the machine disturbed is made again, up to `MOST_ATTEMPTS` times in all; the one
        that they disturbed least is kept. How fast it was has no say in that.

        Raises:
            ResumableError: a process died.
            ShardmillError: what was to be read cannot be.
        """
        warm_ups: list[Measurement] = []
        kept: list[Measurement] = []
        attempt, least = 0, math.inf
        while attempt < MOST_ATTEMPTS:
            attempt += 1
            neighbours = Neighbours()
            rows = self._attempt(task)
            taken = neighbours.taken()
            warm_ups += [row for row in rows if row.warm_up]
            if taken.by_others < least:
                least = taken.by_others
                kept = [replace(row, others_cpu=taken.by_others) for row in rows if not row.warm_up]
            if not taken.disturbing:
                break
        return warm_ups + [replace(row, attempts=attempt) for row in kept]

    def _attempt(self, task: PassTask) -> list[Measurement]:
        together = task.what.cell.concurrency
        children = [self._child(task.what.cell.reader, place) for place in range(together)]
        if together == 1:
            return call_child(children[0], task, self._limits)
        gate = str(Path(self._folder.name, "gate"))
        make_gate(gate, together)
        with ThreadPoolExecutor(together, "process") as pool:
            tasks = [replace(task, place=place, gate=gate) for place in range(together)]
            calls = [
                pool.submit(call_child, child, own, self._limits) for child, own in zip(children, tasks, strict=True)
            ]
            try:
                rows = [row for call in as_completed(calls) for row in call.result()]
            except BaseException:
                for child in children:  # else they would wait for the one that failed
                    child.stop()
                raise
        return sorted(rows, key=lambda row: (not row.warm_up, row.pid))

    def _child(self, reader: str, place: int) -> isolation.Child:
        key = (reader, place)
        if key not in self._children:
            self._children[key] = isolation.Child(CHILD_ENVIRONMENT)
        return self._children[key]


def call_child(child: isolation.Child, task: PassTask, limits: isolation.Limits) -> list[Measurement]:
    """The rows of `task`, made in `child`.

    Raises:
        ResumableError: the child died.
    """
    try:
        return child.call(run_pass, task, limits)
    except isolation.ChildDiedError as death:
        cell = task.what.cell
        raise ResumableError(
            f"the process that read {cell.dataset} with {cell.reader} {death.cause}. "
            "Look at memory and disk, then run the same command again: what was measured is kept."
        ) from death
