"""The rows of a sweep: one for each run, computed from its raw evidence alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from shardmill.clusters.base import ClusterSpec, JobState, UsageSample
from shardmill.clusters.event_log import EventLog, first_to_end_well, main_stage
from shardmill.sweep.evidence import ClusterSeen, RunSeen


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """How the tasks of the job's longest stage filled the executors; durations in seconds."""

    tasks: int
    """That ended well, repeated and speculative attempts apart."""
    slots: int
    """Tasks that can run at the same time."""
    median_s: float
    longest_s: float
    waves: float
    """`tasks / slots`: 1.0 fills each core once."""
    idle_share: float
    """Of `slots` x the stage's duration, what no task used, 0 to 1."""
    scheduler_delay_s: float
    """Median over the tasks."""
    lost_s: float
    """In attempts that failed or that another overtook."""
    started_at: float
    """Launch of the first task, seconds since the epoch."""
    finished_at: float

    @property
    def straggling(self) -> float:
        """The longest task over the median one; 1.0 where all are alike."""
        return self.longest_s / self.median_s if self.median_s > 0 else math.nan


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """What the machines that run tasks used during a stretch of time. None: no source could tell."""

    cpu_s: float
    """Core-seconds."""
    cpu_share: float
    """Of all cores that run tasks, 0 to 1 (more where a worker used cores that it had not been given)."""
    network_in_bytes: float | None
    network_out_bytes: float | None
    disk_read_bytes: float | None
    disk_write_bytes: float | None
    memory_bytes: float | None
    """The highest seen at one time, over all nodes."""
    covered_s: float
    """Seconds that the samples tell of; the sums are of these, `cpu_share` too."""


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One run on one cluster. Times in seconds, money in USD; see `RunSeen` for what is not explained here."""

    run: str
    shape: str
    provider: str
    machine_type: str
    nodes: int
    """That run tasks."""
    cores_per_node: int
    memory_mb_per_node: int
    partitions: int | None
    repetition: int
    position: int
    first: bool
    cluster: str
    state: JobState
    error: str
    elapsed_s: float
    """Of the driver, from its start to its end: what runs are compared by."""
    images: int | None
    """Written, or read, as the command's own result tells; None for what counts none."""
    command_s: float | None
    """What the command itself says that it took."""
    usage: UsageSummary | None
    tasks: TaskSummary | None
    create_s: float | None
    """Of the cluster, from being asked for to being ready."""
    delete_s: float | None
    """Of the cluster, from the end of its last run to its deletion; None while it is there."""
    usd_per_hour: float | None
    """Of the whole cluster; None for a local one without a declared price."""
    job_usd: float | None
    """Marginal cost: `elapsed_s` at that rate."""
    full_usd: float | None
    """Had the cluster been made for this run alone: creation, run and deletion, with the provider's minimum charge."""
    predicted: bool = False
    """Nobody made this run: every time and cost of it comes from a simulation."""
    predicted_low_s: float | None = None
    """Of `elapsed_s`, where it is predicted: 5 %."""
    predicted_high_s: float | None = None
    """95 %."""
    limited_by: str = ""
    """Where most of a predicted time goes."""
    notes: str = ""
    """What to bear in mind of a prediction, a sentence a line."""

    @property
    def cores(self) -> int:
        return self.nodes * self.cores_per_node

    @property
    def images_per_s(self) -> float | None:
        return None if self.images is None or not self.elapsed_s else self.images / self.elapsed_s

    @property
    def images_per_usd(self) -> float | None:
        """By the full cost."""
        return None if self.images is None or not self.full_usd else self.images / self.full_usd


Price = Callable[[ClusterSpec, float], float | None]
"""USD that so many seconds of a cluster cost, the minimum charge included; None where it has no price."""


def rows_of(runs: Sequence[RunSeen], clusters: Sequence[ClusterSeen], price: Price) -> list[SweepRow]:
    """A row a run, in the same order."""
    by_name = {cluster.name: cluster for cluster in clusters}
    last_end: dict[str, float] = {}
    for run in runs:
        last_end[run.cluster] = max(last_end.get(run.cluster, 0.0), run.outcome.finished_at)
    return [_row(run, by_name[run.cluster], last_end[run.cluster], price) for run in runs]


def _row(run: RunSeen, cluster: ClusterSeen, last_end: float, price: Price) -> SweepRow:
    spec, outcome = cluster.spec, run.outcome
    create_s = None if cluster.ready_at is None else max(cluster.ready_at - cluster.asked_at, 0.0)
    delete_s = None if cluster.deleted_at is None else max(cluster.deleted_at - last_end, 0.0)
    hour = price(spec, 3600.0)
    alone = outcome.elapsed_s + (create_s or 0.0) + (delete_s or 0.0)
    result = outcome.result or {}
    images = next((result[name] for name in ("written", "images") if isinstance(result.get(name), int)), None)
    return SweepRow(
        run=run.name,
        shape=run.cell.shape,
        provider=spec.provider,
        machine_type=spec.task_node.machine_type,
        nodes=spec.task_nodes,
        cores_per_node=spec.task_node.cores,
        memory_mb_per_node=spec.task_node.memory_mb,
        partitions=run.cell.partitions,
        repetition=run.repetition,
        position=run.position,
        first=run.first,
        cluster=run.cluster,
        state=outcome.state,
        error=outcome.error,
        elapsed_s=outcome.elapsed_s,
        images=images,
        command_s=result.get("seconds"),
        usage=summarise_usage(run.usage, outcome.started_at, outcome.finished_at, spec.task_cores),
        tasks=None if run.log is None else summarise_tasks(run.log),
        create_s=create_s,
        delete_s=delete_s,
        usd_per_hour=hour,
        job_usd=None if hour is None else hour * outcome.elapsed_s / 3600,
        full_usd=price(spec, alone),
    )


def summarise_usage(samples: Sequence[UsageSample], start: float, end: float, cores: int) -> UsageSummary | None:
    """Sums over the nodes that run tasks; a sample that lies partly outside counts in proportion."""
    workers = [sample for sample in samples if sample.role == "worker" or not _has_workers(samples)]
    parts = [(sample, _overlap(sample, start, end)) for sample in workers]
    parts = [(sample, share) for sample, share in parts if share > 0]
    if not parts or not cores:
        return None
    nodes = {sample.node for sample, _ in parts}
    covered = sum(sample.seconds * share for sample, share in parts) / len(nodes)

    def total(name: str) -> float | None:
        values = [(getattr(sample, name), share) for sample, share in parts]
        return (
            None if any(value is None for value, _ in values) else math.fsum(value * share for value, share in values)
        )

    cpu_s = total("cpu_s") or 0.0
    at_once: Counter[int] = Counter()
    for sample, _ in parts:
        at_once[round(sample.start)] += round(sample.memory_bytes or 0)
    return UsageSummary(
        cpu_s=cpu_s,
        cpu_share=cpu_s / (cores * covered) if covered else math.nan,
        network_in_bytes=total("network_in_bytes"),
        network_out_bytes=total("network_out_bytes"),
        disk_read_bytes=total("disk_read_bytes"),
        disk_write_bytes=total("disk_write_bytes"),
        memory_bytes=None if any(sample.memory_bytes is None for sample, _ in parts) else max(at_once.values()),
        covered_s=covered,
    )


def _has_workers(samples: Sequence[UsageSample]) -> bool:
    return any(sample.role == "worker" for sample in samples)


def _overlap(sample: UsageSample, start: float, end: float) -> float:
    """Share of the sample's stretch that lies between two times."""
    if sample.seconds <= 0:
        return 0.0
    inside = min(sample.start + sample.seconds, end) - max(sample.start, start)
    return min(max(inside / sample.seconds, 0.0), 1.0)


def summarise_tasks(log: EventLog) -> TaskSummary | None:
    """Of the stage whose tasks took the most time in all; None where no task ended well."""
    attempts = main_stage(log)
    tasks = first_to_end_well(attempts)
    slots = sum(executor.cores for executor in log.executors)
    if not tasks or not slots:
        return None
    used = sum(task.seconds for task in attempts)
    started, finished = min(task.launched_at for task in attempts), max(task.finished_at for task in tasks)
    return TaskSummary(
        tasks=len(tasks),
        slots=slots,
        median_s=median(task.seconds for task in tasks),
        longest_s=max(task.seconds for task in tasks),
        waves=len(tasks) / slots,
        idle_share=max(1 - used / (slots * (finished - started)), 0.0) if finished > started else 0.0,
        scheduler_delay_s=median(task.scheduler_delay_s for task in tasks),
        lost_s=used - sum(task.seconds for task in tasks),
        started_at=started,
        finished_at=finished,
    )
