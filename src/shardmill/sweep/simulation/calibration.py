"""From runs that were made to the parameters of the simulation.

Times of tasks are fitted by non-negative least squares of relative errors, contention by a search around them, with little
weight on what the runs cannot tell apart: cost that may be the image's, the shard's or the task's is the image's. Start and
end are fitted in the same way. Intervals come from drawing runs with replacement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shardmill.clusters.base import ClusterSpec
from shardmill.errors import UsageError
from shardmill.machine import available_cores
from shardmill.search.ernest import nonnegative_least_squares
from shardmill.sweep.evidence import ClusterSeen, RunSeen
from shardmill.sweep.simulation.caps import Caps
from shardmill.sweep.simulation.parameters import Parameters, percentile, slowdown
from shardmill.sweep.simulation.work import TaskSeen, tasks_seen

Floats = NDArray[np.float64]

DRAWS: Final = 24
_CONTENTIONS: Final = np.linspace(0.0, 1.0, 11)
_STREAMED: Final = 0.7
"""A task whose data could have come in less than this share of its time on the core was not held up by it."""
_LEAST_SPREAD: Final = 0.01
_IMAGE_BYTES: Final = 110_000.0
"""Of an image, where nothing tells: about what ImageNet's have."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What runs tell of jobs like them."""

    parameters: Parameters
    low: Parameters
    """5 % of `draws`, each parameter by itself."""
    high: Parameters
    """95 %."""
    draws: tuple[Parameters, ...]
    """From runs drawn with replacement."""
    image_bytes: float
    """Read for an image."""
    written_bytes: float
    """Of an image in the shards."""
    shards: Mapping[int, int | None]
    """Of the jobs that were seen, by their images; None for jobs that make none."""
    machine_cores: int
    """Of the machine that local clusters share."""
    shapes: tuple[ClusterSpec, ...]
    """On which the runs were made."""
    create_s: Mapping[str, float]
    """Median time to make a cluster, by provider."""
    delete_s: Mapping[str, float]
    runs: int
    notes: tuple[str, ...]
    """What the runs could not tell, a sentence each."""

    def shards_for(self, images: int) -> int | None:
        """Shards that a job of so many images makes: as many as the job nearest in size."""
        return self.shards[min(self.shards, key=lambda seen: (abs(math.log(seen / images)), seen))]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the calibration uses of a run."""

    spec: ClusterSpec
    caps: Caps
    images: int
    shards: int | None
    written_bytes: float
    start_s: float
    ready_s: float
    end_s: float
    elapsed_s: float
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
        images=images,
        shards=shards,
        written_bytes=written if isinstance(written, int) else 0.0,
        start_s=max(first - run.outcome.started_at, 0.0),
        ready_s=max(launched - first, 0.0),
        end_s=max(run.outcome.finished_at - finished, 0.0),
        elapsed_s=run.outcome.elapsed_s,
        cores=machine_cores if spec.provider == "local" else spec.task_node.cores,
        tasks=tuple(tasks),
    )


def calibrate(
    runs: Sequence[RunSeen],
    clusters: Sequence[ClusterSeen],
    *,
    caps: Mapping[str, Caps] | None = None,
    image_bytes: float | None = None,
    machine_cores: int | None = None,
    draws: int = DRAWS,
) -> Calibration:
    """The parameters of the jobs that `runs` ran, which must do the same to each image.

    Args:
        runs: Those that failed or have no event log are left out.
        clusters: On which they ran.
        caps: What held each run up that is known, by its name; runs that are not named read and write files without any.
        image_bytes: Read for an image; None: as the machines' counters of network or disk tell.
        machine_cores: Of the machine that local clusters share; None: of this machine.
        draws: How often runs are drawn with replacement, for the intervals.

    Raises:
        UsageError: no run can be used.
    """
    specs = {cluster.name: cluster.spec for cluster in clusters}
    here = machine_cores or available_cores()
    known = caps or {}
    used = [(run, sight(run, specs[run.cluster], known.get(run.name, Caps()), here)) for run in runs]
    seen = [one for _, one in used if one is not None]
    if not seen:
        raise UsageError(
            "no run can be calibrated on: none ended well with images counted and an event log whose tasks fit them. "
            "Run the sweep on a local shape first."
        )
    size, size_note = (
        _image_bytes([run for run, one in used if one is not None]) if image_bytes is None else (image_bytes, "")
    )
    best = _fit(seen, size)
    random = np.random.default_rng(len(seen))
    drawn = [_fit([seen[at] for at in random.integers(0, len(seen), len(seen))], size, best) for _ in range(draws)]
    shards: dict[int, int | None] = {one.images: one.shards for one in seen}
    made = [cluster for cluster in clusters if cluster.ready_at is not None]
    notes = [note for note in (size_note, *_unknown(seen)) if note]
    return Calibration(
        parameters=best,
        low=percentile(drawn or [best], 0.05),
        high=percentile(drawn or [best], 0.95),
        draws=tuple(drawn),
        image_bytes=size,
        written_bytes=median(one.written_bytes / one.images for one in seen),
        shards=shards,
        machine_cores=here,
        shapes=tuple({one.spec.name: one.spec for one in seen}.values()),
        create_s=_by_provider([(one.spec.provider, (one.ready_at or 0.0) - one.asked_at) for one in made]),
        delete_s=_by_provider(_deletions(made, runs)),
        runs=len(seen),
        notes=tuple(notes),
    )


def request_s(caps: Caps, image_bytes: float) -> float:
    """One request for an image, alone; 0 for files."""
    return caps.request_s(image_bytes) if caps.from_store else 0.0


def _fit(seen: Sequence[Sighting], image_bytes: float, near: Parameters | None = None) -> Parameters:
    """The parameters of `seen`; contention is looked for `near` others where they are given."""
    requests = np.array([request_s(one.caps, image_bytes) for one in seen])
    stores = np.array([float(one.caps.from_store) for one in seen])
    images = np.array([float(one.images) for one in seen])
    ones = np.ones(len(seen))
    further = np.array([float(one.spec.task_nodes - 1) if one.spec.provider == "local" else 0.0 for one in seen])
    start_columns = np.column_stack([ones, stores, images, requests, further])
    start = _relative(start_columns, np.array([one.start_s for one in seen]), (0, 1, 1, 0, 1))
    end_columns = np.column_stack([ones, images])
    end = _relative(end_columns, np.array([one.end_s for one in seen]), (0, 1))
    fixed = start_columns @ start + end_columns @ end
    told = np.array([one.start_s + one.end_s for one in seen])
    work, contention = _fit_tasks(seen, image_bytes, None if near is None else near.contention)
    task_spread, run_spread = _spreads(seen, image_bytes, work, contention)
    return Parameters(
        start_s=start[0],
        start_store_s=start[1],
        start_image_s=start[2],
        start_requests=start[3],
        start_executor_s=start[4],
        ready_s=median(one.ready_s for one in seen),
        first_task_core_s=work[0],
        first_task_requests=work[5],
        task_core_s=work[1],
        shard_core_s=work[2],
        shard_requests=work[6],
        image_core_s=work[3],
        store_core_s=work[4],
        contention=contention,
        end_s=end[0],
        end_image_s=end[1],
        task_spread=task_spread,
        run_spread=run_spread,
        fixed_spread=_spread(np.log(np.maximum(told, 1e-3) / np.maximum(fixed, 1e-3))),
    )


def _fit_tasks(seen: Sequence[Sighting], image_bytes: float, near: float | None) -> tuple[list[float], float]:
    """(first, task, shard, image, store, requests of the first, requests of a shard), and contention."""
    choices = _CONTENTIONS if near is None else _CONTENTIONS[np.abs(_CONTENTIONS - near) < 0.15]
    if len({round(task.busy, 1) for one in seen for task in one.tasks}) == 1:
        choices = _CONTENTIONS[:1]
    held_up = _floors(seen, image_bytes)
    seconds = np.array([task.seconds for one in seen for task in one.tasks])
    best: tuple[float, list[float], float] | None = None
    for contention in choices:
        columns, streamed = _columns(seen, image_bytes, contention)
        free = held_up == 0
        if not free.any():
            free = held_up <= np.sort(held_up)[len(held_up) // 2]  # what was held up least
        work = np.zeros(columns.shape[1])
        for _ in range(3):
            work = _relative(columns[free], seconds[free], (1, 1, 1, 0, 1, 1, 1))
            free = held_up <= _STREAMED * (columns[:, streamed] @ work[streamed])
            if free.sum() < columns.shape[1]:
                break
        usable = held_up <= _STREAMED * (columns[:, streamed] @ work[streamed])
        usable = usable if usable.any() else free
        misses = np.abs(np.log(np.maximum(columns[usable] @ work, 1e-3) / np.maximum(seconds[usable], 1e-3)))
        loss = float(np.minimum(misses, 0.5).mean())
        if best is None or loss < best[0]:
            best = (loss, work.tolist(), float(contention))
    assert best is not None
    return best[1], best[2]


def _columns(seen: Sequence[Sighting], image_bytes: float, contention: float) -> tuple[Floats, list[int]]:
    """A row a task and a column for each thing that takes time, and which columns are those of streaming."""
    rows = []
    for one in seen:
        request = request_s(one.caps, image_bytes)
        store = float(one.caps.from_store)
        for task in one.tasks:
            slow = float(slowdown(contention, task.busy, one.cores))
            images, shards, first = float(task.load.images), float(task.load.shards), float(task.first)
            core = [slow * first, slow, slow * shards, slow * images, slow * images * store]
            rows.append([*core, first * request, max(shards, 1.0) * request])
    return np.array(rows), [3, 4]


def _floors(seen: Sequence[Sighting], image_bytes: float) -> Floats:
    """Seconds that each task's data took to come at least, by the caps; 0 without any."""
    return np.array(
        [
            floor_s(one.caps, task.load.images, image_bytes, task.busy, task.busy_in_all)
            for one in seen
            for task in one.tasks
        ]
    )


def floor_s(caps: Caps, images: int, image_bytes: float, busy: float, busy_in_all: float) -> float:
    """Seconds that `images` take to be read at least, by tasks that share a machine and a store with others."""
    if not caps.from_store:
        return images * image_bytes * busy / caps.disk_read_bytes_per_s
    return images * max(
        (caps.latency_s + image_bytes / caps.stream_bytes_per_s) / caps.reads_at_once,
        image_bytes * busy / caps.network_bytes_per_s,
        image_bytes * busy_in_all / caps.store_bytes_per_s,
    )


def _spreads(
    seen: Sequence[Sighting], image_bytes: float, work: Sequence[float], contention: float
) -> tuple[float, float]:
    """Of tasks within their run, and of runs."""
    columns, streamed = _columns(seen, image_bytes, contention)
    weights = np.array(work)
    stream = columns[:, streamed] @ weights[streamed]
    expected = columns @ weights - stream + np.maximum(stream, _floors(seen, image_bytes))
    seconds = np.array([task.seconds for one in seen for task in one.tasks])
    misses = np.log(np.maximum(seconds, 1e-3) / np.maximum(expected, 1e-3))
    within, between, at = [], [], 0
    for one in seen:
        own = misses[at : at + len(one.tasks)]
        at += len(one.tasks)
        between.append(float(np.median(own)))
        if len(own) > 1:
            within += (own - np.median(own)).tolist()
    return _spread(np.array(within)), _spread(np.array(between))


def _spread(misses: Floats) -> float:
    """Standard deviation, by the middle half, which a few wild values do not move."""
    if len(misses) < 2:
        return _LEAST_SPREAD
    low, high = np.percentile(misses, [25, 75])
    return max(float(high - low) / 1.349, _LEAST_SPREAD)


def _relative(columns: Floats, target: Floats, doubtful: Sequence[int]) -> Floats:
    """Non-negative weights of the columns that miss `target` least by relative errors.

    Columns marked in `doubtful` are held a little towards 0: what others explain as well is theirs.
    """
    scale = np.abs(columns).mean(axis=0)
    scale[scale == 0] = 1.0
    scaled = columns / scale
    held = np.diag([math.sqrt(1e-4 * len(target)) * flag for flag in doubtful])
    expected = np.maximum(target, 1e-3)
    weights = np.zeros(columns.shape[1])
    for _ in range(3):
        rows = np.vstack([scaled / expected[:, None], held / float(np.median(expected))])
        weights = nonnegative_least_squares(rows, np.concatenate([target / expected, np.zeros(len(held))]))
        expected = np.maximum(scaled @ weights, 0.25 * np.maximum(target, 1e-3))
    found: Floats = weights / scale
    return found


def _image_bytes(runs: Sequence[RunSeen]) -> tuple[float, str]:
    """Of an image, by what the machines received or read from disks; and a note where nothing tells."""
    told = []
    for run in runs:
        images = images_of(run) or 0
        for name in ("network_in_bytes", "disk_read_bytes"):
            values = [getattr(sample, name) for sample in run.usage if sample.role == "worker"]
            if values and None not in values:
                told.append(sum(values) / images)
    most = max(told, default=0.0)
    if most >= 1000:
        return most, ""
    return _IMAGE_BYTES, f"No counter tells how large an image is, which is taken to be {_IMAGE_BYTES / 1000:.0f} kB."


def _unknown(seen: Sequence[Sighting]) -> list[str]:
    notes = []
    if max(task.busy for one in seen for task in one.tasks) < 1.2:
        notes.append(
            "No two tasks ran on one machine at the same time: how much they slow each other is taken for nothing."
        )
    if len({one.images for one in seen}) == 1:
        notes.append("All runs had as many images: what grows with their number cannot be told from what does not.")
    if not any(one.caps.from_store for one in seen):
        notes.append("No run read from an object store: what its client costs is taken for nothing.")
    if len(seen) < 4:
        notes.append(f"Only {len(seen)} runs were calibrated on: the intervals are too narrow.")
    return notes


def _by_provider(values: Sequence[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for provider, seconds in values:
        found.setdefault(provider, []).append(seconds)
    return {provider: median(each) for provider, each in found.items()}


def _deletions(clusters: Sequence[ClusterSeen], runs: Sequence[RunSeen]) -> list[tuple[str, float]]:
    ended: dict[str, float] = {}
    for run in runs:
        ended[run.cluster] = max(ended.get(run.cluster, 0.0), run.outcome.finished_at)
    return [
        (one.spec.provider, max(one.deleted_at - ended[one.name], 0.0))
        for one in clusters
        if one.deleted_at is not None and one.name in ended
    ]
