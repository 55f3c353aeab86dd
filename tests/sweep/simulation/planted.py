"""Runs that nobody made: a job of known costs, played by a scheduler of its own, as a sweep would have seen them."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shardmill.clusters.base import ClusterSpec, JobOutcome, NodeSpec
from shardmill.clusters.event_log import EventLog, Executor, Task
from shardmill.sweep.evidence import Cell, ClusterSeen, RunSeen

IMAGE_BYTES = 100_000.0


@dataclass(frozen=True, slots=True)
class Job:
    """What the job costs. Seconds."""

    start: float = 6.0
    start_image: float = 0.0004
    ready: float = 0.5
    first_task: float = 2.5
    task: float = 0.05
    shard: float = 0.04
    image: float = 0.012
    contended_image: float = 0.012
    """Where a second task runs beside it."""
    end: float = 1.5
    cold: float = 0.0
    """More of the start in the first run on a cluster."""
    noise: float = 0.0
    """Standard deviation of the logarithm of a task's time."""


def shape(workers: int, cores: int, provider: str = "far") -> ClusterSpec:
    """Machines of their own, as a cloud has them, unless the provider is `local`."""
    node = NodeSpec("n1-standard-2", cores, 7500)
    return ClusterSpec(f"{workers}x{cores}", provider, node, workers, node)


def cluster(spec: ClusterSpec) -> ClusterSeen:
    return ClusterSeen(spec.name, spec, asked_at=0.0, ready_at=90.0, deleted_at=100_000.0)


def play(
    job: Job, spec: ClusterSpec, partitions: int, images: int, shards: int = 16, seed: int = 0, first: bool = False
) -> RunSeen:
    """A run of the job. The images and shards must divide evenly among the tasks, and a machine's cores must all have
    as many tasks as each other, so that each image costs the same."""
    random = np.random.default_rng([seed, partitions, images, spec.task_cores])
    began = job.start + job.start_image * images + job.cold * first
    executors = tuple(Executor(str(n), f"host-{n}", spec.task_node.cores, began) for n in range(spec.task_nodes))
    busy = min(partitions, spec.task_cores) > spec.task_nodes
    image = job.contended_image if busy else job.image
    slots = [
        (began + job.ready, number, node, True)
        for number in range(spec.task_node.cores)
        for node in range(spec.task_nodes)
    ]
    heapq.heapify(slots)
    tasks = []
    for index in range(partitions):
        at, number, node, fresh = heapq.heappop(slots)
        cost = job.task + job.shard * shards / partitions + image * images / partitions
        seconds = (cost + job.first_task * fresh) * float(np.exp(job.noise * random.standard_normal()))
        tasks.append(Task(0, index, 0, str(node), f"host-{node}", at, at + seconds, seconds, 0.0, 0.0, True, False))
        heapq.heappush(slots, (at + seconds, number, node, False))
    ended = max(task.finished_at for task in tasks) + job.end
    name = f"{spec.name}-{partitions}-{images}-{seed}"
    result = {"listed": images, "written": images, "shards": shards, "bytes": 20_000 * images, "seconds": ended - 2}
    return RunSeen(
        name=name,
        cell=Cell(spec.name, partitions),
        repetition=seed,
        position=0,
        first=first,
        cluster=spec.name,
        words=("prepare",),
        outcome=JobOutcome(name, "done", 0, 0.0, ended, result, ""),
        usage=(),
        log=EventLog(executors, tuple(tasks)),
    )


def sweep(
    job: Job, shapes: Sequence[ClusterSpec], partitions: Sequence[int], images: Sequence[int], repetitions: int = 1
) -> list[RunSeen]:
    return [
        play(job, spec, count, size, seed=repetition)
        for spec in shapes
        for count in partitions
        for size in images
        for repetition in range(repetitions)
    ]
