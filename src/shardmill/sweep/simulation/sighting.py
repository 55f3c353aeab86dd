"""What the calibration uses of a run."""

from __future__ import annotations

from dataclasses import dataclass

from shardmill.clusters.base import ClusterSpec
from shardmill.sweep.evidence import RunSeen
from shardmill.sweep.simulation.caps import Caps
from shardmill.sweep.simulation.work import TaskSeen, tasks_seen


@dataclass(frozen=True, slots=True)
class Sighting:
    """One run. Durations in seconds."""

    spec: ClusterSpec
    caps: Caps
    command: str
    first: bool
    images: int
    shards: int | None
    written_bytes: float
    start_s: float
    ready_s: float
    end_s: float
    cores: int
    """Of the machine on which its tasks ran."""
    tasks: tuple[TaskSeen, ...]


def images_of(run: RunSeen) -> int | None:
    """Images that the job read, as its result tells."""
    result = run.outcome.result or {}
    return next((result[name] for name in ("listed", "written", "images") if isinstance(result.get(name), int)), None)


def shards_of(run: RunSeen) -> int | None:
    """Shards that the job made; None for one that makes none."""
    shards = (run.outcome.result or {}).get("shards")
    return shards if isinstance(shards, int) else None


def sight(run: RunSeen, spec: ClusterSpec, caps: Caps, machine_cores: int) -> Sighting | None:
    """What can be used of a run; None where it failed, or tells too little."""
    images, log = images_of(run), run.log
    if run.outcome.state != "done" or not images or log is None or not log.executors:
        return None
    shards = shards_of(run)
    tasks = tasks_seen(log, spec, images, shards)
    if not tasks:
        return None
    first = min(executor.added_at for executor in log.executors)
    launched = min(task.launched_at for task in log.tasks)
    finished = max(task.finished_at for task in log.tasks)
    written = (run.outcome.result or {}).get("bytes")
    return Sighting(
        spec=spec,
        caps=caps,
        command=run.words[0] if run.words else "",
        first=run.first,
        images=images,
        shards=shards,
        written_bytes=written if isinstance(written, int) else 0.0,
        start_s=max(first - run.outcome.started_at, 0.0),
        ready_s=max(launched - first, 0.0),
        end_s=max(run.outcome.finished_at - finished, 0.0),
        cores=machine_cores if spec.provider == "local" else spec.task_node.cores,
        tasks=tuple(tasks),
    )
