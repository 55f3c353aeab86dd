"""What the machines of a run used over time, in bins of equal length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shardmill.clusters.base import UsageSample
from shardmill.clusters.event_log import EventLog, Task
from shardmill.sweep.evidence import RunSeen
from shardmill.sweep.row import summarise_usage

MOST_BINS: Final = 60


@dataclass(frozen=True, slots=True)
class Bin:
    """One stretch of a run. All machines that run tasks together; None: no source could tell."""

    start_s: float
    """Since the driver's start."""
    seconds: float
    cpu_share: float | None
    """Of the cores that run tasks, 0 to 1 and more, as `UsageSummary.cpu_share`."""
    network_bytes_per_s: float | None
    """In and out."""
    disk_bytes_per_s: float | None
    """Read and written."""
    tasks: float | None
    """Running at a time, on average; None without a log."""


def timeline_of(run: RunSeen, cores: int, most: int = MOST_BINS) -> tuple[Bin, ...]:
    """`run` in at most `most` bins, none shorter than its samples are; empty where nothing was seen of it."""
    start, length = run.outcome.started_at, run.outcome.elapsed_s
    grain = max((sample.seconds for sample in run.usage), default=0.0)
    if length <= 0 or (not run.usage and run.log is None):
        return ()
    count = max(1, min(most, math.floor(length / grain) if grain else most))
    width = length / count
    return tuple(_bin(run, start + number * width, width, start, cores) for number in range(count))


def _bin(run: RunSeen, begin: float, width: float, start: float, cores: int) -> Bin:
    used = summarise_usage(run.usage, begin, begin + width, cores)
    flow: list[float | None] = [None, None]
    if used is not None and used.covered_s:
        pairs = (
            (used.network_in_bytes, used.network_out_bytes),
            (used.disk_read_bytes, used.disk_write_bytes),
        )
        for place, pair in enumerate(pairs):
            known = [moved for moved in pair if moved is not None]
            flow[place] = sum(known) / used.covered_s if known else None
    running = None if run.log is None else _overlap(run.log.tasks, begin, begin + width) / width
    return Bin(begin - start, width, None if used is None else used.cpu_share, flow[0], flow[1], running)


def _overlap(tasks: Sequence[Task], begin: float, end: float) -> float:
    return math.fsum(max(min(task.finished_at, end) - max(task.launched_at, begin), 0.0) for task in tasks)


def sources_of(samples: Sequence[UsageSample]) -> dict[str, float]:
    """Seconds of samples by how they were taken, see `UsageSample.source`."""
    found: dict[str, float] = {}
    for sample in samples:
        found[sample.source] = found.get(sample.source, 0.0) + sample.seconds
    return found


def slots_of(log: EventLog) -> list[list[Task]]:
    """Tasks by the core that ran them, executor by executor. Spark names no core: a task is put on one that was free."""
    found = []
    for executor in log.executors:
        slots: list[list[Task]] = [[] for _ in range(executor.cores)]
        for task in sorted(
            (task for task in log.tasks if task.executor == executor.id), key=lambda task: task.launched_at
        ):
            free = [slot for slot in slots if not slot or slot[-1].finished_at <= task.launched_at]
            (free or [min(slots, key=lambda slot: slot[-1].finished_at)])[0].append(task)
        found += slots
    return found
