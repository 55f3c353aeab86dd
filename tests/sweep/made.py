"""Evidence of sweeps that nobody ran: clusters, runs, tasks and samples with what is to be found planted in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from shardmill.clusters.base import ClusterSpec, JobOutcome, JobState, NodeSpec, UsageSample
from shardmill.clusters.event_log import EventLog, Executor, Task
from shardmill.runs import Run, begin_run
from shardmill.sweep.evidence import Cell, ClusterSeen, Evidence, RunSeen
from shardmill.sweep.row import SweepRow, rows_of

EPOCH = 1_800_000_000.0
_GAP_S = 1000.0


def shape(name: str = "2x1", *, workers: int = 2, cores: int = 1, usd_per_hour: float | None = 3.6) -> ClusterSpec:
    """By default a tenth of a cent a second."""
    node = NodeSpec("local", cores, 1000)
    return ClusterSpec(name, "local", node, workers, NodeSpec("local", 0, 256), usd_per_hour=usd_per_hour)


def run_of(
    spec: ClusterSpec,
    partitions: int | None = 4,
    *,
    name: str = "r0",
    elapsed_s: float = 10.0,
    before_s: float = 4.0,
    tasks: Sequence[float] = (2.5, 2.5, 2.5, 2.5),
    cpu_share: float = 0.9,
    network: float | None = 1e6,
    disk: float | None = 2e6,
    repetition: int = 0,
    position: int = 0,
    first: bool = False,
    state: JobState = "done",
    images: int = 1000,
    node_speed: Sequence[float] = (),
    logged: bool = True,
    sampled: bool = True,
) -> RunSeen:
    """One run: after `before_s` its tasks begin, each on the core that is free first; `cpu_share` is of the cores that have
    a task, `network` and `disk` are bytes a second and node while they run, in and out each half."""
    start = EPOCH + _GAP_S * position
    free = [(0.0, node, core) for node in range(spec.task_nodes) for core in range(spec.task_node.cores)]
    made = []
    for index, seconds in enumerate(tasks):
        at, node, core = min(free)
        free.remove((at, node, core))
        took = seconds * (node_speed[node] if node_speed else 1.0)
        free.append((at + took, node, core))
        begin = start + before_s + at
        made.append(Task(0, index, 0, str(node), _host(node), begin, begin + took, took - 0.02, 0.0, 0.0, True, False))
    executors = tuple(
        Executor(str(node), _host(node), spec.task_node.cores, start + before_s - 1) for node in range(spec.task_nodes)
    )
    samples = tuple(
        _sample(made, node, start + second, spec, cpu_share, network, disk)
        for second in range(round(elapsed_s))
        for node in range(spec.task_nodes)
    )
    result = {"written": images, "seconds": elapsed_s - 1} if state == "done" else None
    outcome = JobOutcome(
        name, state, 0 if state == "done" else 1, start, start + elapsed_s, result, "" if result else "boom\nit broke"
    )
    return RunSeen(
        name=name,
        cell=Cell(spec.name, partitions),
        repetition=repetition,
        position=position,
        first=first,
        cluster=f"c-{spec.name}",
        words=("prepare", "photos", "out"),
        outcome=outcome,
        usage=samples if sampled else (),
        log=EventLog(executors, tuple(made)) if logged else None,
    )


def cluster_of(spec: ClusterSpec, runs: Sequence[RunSeen]) -> ClusterSeen:
    """The cluster of `spec`, made in 20 s before its runs and deleted 5 s after them."""
    own = [run for run in runs if run.cluster == f"c-{spec.name}"]
    begin = min(run.outcome.started_at for run in own)
    end = max(run.outcome.finished_at for run in own)
    return ClusterSeen(f"c-{spec.name}", spec, begin - 20, begin, end + 5)


def rows(specs: Sequence[ClusterSpec], runs: Sequence[RunSeen]) -> list[SweepRow]:
    """At the declared prices."""
    return rows_of(runs, [cluster_of(spec, runs) for spec in specs], declared)


def declared(spec: ClusterSpec, seconds: float) -> float | None:
    return None if spec.usd_per_hour is None else spec.usd_per_hour * seconds / 3600


def run_folder(folder: Path, specs: Sequence[ClusterSpec], runs: Sequence[RunSeen]) -> Run:
    """A run folder with this evidence."""
    run = begin_run(folder, "sweep", {"workload": "photos-256"})
    evidence = Evidence(run.path)
    for spec in specs:
        evidence.save_cluster(cluster_of(spec, runs))
    for seen in runs:
        evidence.save_run(seen)
    return run


def renamed(run: RunSeen, place: int) -> RunSeen:
    """`run` under a name and place of its own."""
    return replace(run, name=f"r{place}", position=place)


def _host(node: int) -> str:
    return f"127.0.0.{node + 2}"


def _sample(
    tasks: Sequence[Task],
    node: int,
    start: float,
    spec: ClusterSpec,
    cpu_share: float,
    network: float | None,
    disk: float | None,
) -> UsageSample:
    inside = sum(
        max(min(task.finished_at, start + 1) - max(task.launched_at, start), 0.0)
        for task in tasks
        if task.executor == str(node)
    )
    busy = min(inside / spec.task_node.cores, 1.0)
    half_network = None if network is None else network * busy / 2
    half_disk = None if disk is None else disk * busy / 2
    return UsageSample(
        node=f"c-{spec.name}-w-{node}",
        role="worker",
        start=start,
        seconds=1.0,
        cores=spec.task_node.cores,
        cpu_s=cpu_share * inside,
        network_in_bytes=half_network,
        network_out_bytes=half_network,
        disk_read_bytes=half_disk,
        disk_write_bytes=half_disk,
        memory_bytes=1e8,
        source="process",
    )
