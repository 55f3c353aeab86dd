"""How a job's images are dealt out to its tasks, and how tasks were seen to run."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shardmill.clusters.base import ClusterSpec
from shardmill.clusters.event_log import EventLog, Task, first_to_end_well, main_stage

_MOST_PARTITIONS: Final = 4096
"""What a job chooses at most by itself, as `engines.spark.MAX_PARTITIONS`."""
_BATCH: Final = 1024


@dataclass(frozen=True, slots=True)
class Load:
    """What one task does."""

    images: int
    shards: int


def loads(images: int, shards: int | None, partitions: int | None) -> list[Load]:
    """What each task does, in order.

    Args:
        images: Of the whole job.
        shards: Items that are dealt out, which differ by at most one image; None: the job deals out images by itself.
        partitions: Tasks that are asked for; None: one a shard.
    """
    items = images if shards is None else shards
    tasks = max(min(partitions or _MOST_PARTITIONS, items), 1)
    if shards is None:
        # As pyspark's `SparkContext.parallelize` cuts: it packs items into batches, and deals out batches.
        batch = min(max(items // tasks, 1), _BATCH)
        batches = -(-items // batch)
        edges = [min(number * batches // tasks * batch, items) for number in range(tasks + 1)]
        return [Load(stop - start, 0) for start, stop in itertools.pairwise(edges)]
    edges = [number * items // tasks for number in range(tasks + 1)]  # as `engines.spark` cuts
    each, larger = divmod(images, shards)  # the first `larger` shards have one more
    return [
        Load(each * (stop - start) + max(min(stop, larger) - min(start, larger), 0), stop - start)
        for start, stop in itertools.pairwise(edges)
    ]


@dataclass(frozen=True, slots=True)
class TaskSeen:
    """One task of a job's main stage."""

    seconds: float
    load: Load
    first: bool
    """The first on its slot, for which Python and the libraries are started."""
    busy: float
    """Tasks that ran on the same machine meanwhile, this one among them: the mean over its time."""
    busy_in_all: float
    """The same over all machines."""


def machine_of(spec: ClusterSpec, host: str) -> str:
    """Which machine a task on `host` shares; all workers of a local cluster are one."""
    return "here" if spec.provider == "local" else host


def tasks_seen(log: EventLog, spec: ClusterSpec, images: int, shards: int | None) -> list[TaskSeen]:
    """The tasks of the main stage with what each did; none where their number does not fit the job."""
    tasks = first_to_end_well(main_stage(log))
    dealt = loads(images, shards, len(tasks)) if tasks else []
    if len(dealt) != len(tasks) or [task.index for task in tasks] != list(range(len(tasks))):
        return []
    slots = {executor.id: executor.cores for executor in log.executors}
    begun: dict[str, int] = {}
    firsts = set()
    for task in sorted(tasks, key=lambda task: task.launched_at):
        begun[task.executor] = begun.get(task.executor, 0) + 1
        if begun[task.executor] <= slots.get(task.executor, 0):
            firsts.add(task.index)
    found = []
    for task, load in zip(tasks, dealt, strict=True):
        machine = machine_of(spec, task.host)
        found.append(
            TaskSeen(
                seconds=task.seconds,
                load=load,
                first=task.index in firsts,
                busy=_beside(task, [other for other in tasks if machine_of(spec, other.host) == machine]),
                busy_in_all=_beside(task, tasks),
            )
        )
    return found


def _beside(task: Task, others: Sequence[Task]) -> float:
    """Mean number of `others`, `task` among them, that run while it does."""
    if task.seconds <= 0:
        return 1.0
    shared = sum(
        max(min(task.finished_at, other.finished_at) - max(task.launched_at, other.launched_at), 0.0)
        for other in others
    )
    return max(shared / task.seconds, 1.0)
