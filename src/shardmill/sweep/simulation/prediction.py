"""What a job would take on a shape: its start, the waves of its tasks, its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from shardmill.clusters.base import ClusterSpec
from shardmill.errors import UsageError
from shardmill.sweep.simulation.calibration import Calibration
from shardmill.sweep.simulation.caps import Caps
from shardmill.sweep.simulation.fitting import request_s, window_s
from shardmill.sweep.simulation.parameters import Parameters
from shardmill.sweep.simulation.stage import CAUSES, First, Floats, Stage, Tasks, run_stage, slots_of
from shardmill.sweep.simulation.work import Load, loads

DRAWS: Final = 100
_LEAST_DRAWS: Final = 20
_MOST_CELLS: Final = 40_000
"""Draws times tasks: what keeps a prediction within seconds."""
_MODEL_SPREAD: Final = 0.06
"""What predictions of unseen shapes, sizes and stores miss by beyond the runs' own noise, as was measured
(`docs/decisions/0039-simulation.md`): standard deviation of the logarithm of the whole time."""
START: Final = "start and end"


@dataclass(frozen=True, slots=True)
class Prediction:
    """A time that nobody measured."""

    spec: ClusterSpec
    partitions: int | None
    images: int
    elapsed_s: float
    """Of the driver, from its start to its end: the middle of the draws."""
    low_s: float
    """5 % of the draws are below."""
    high_s: float
    """95 % are."""
    start_s: float
    """Until the first executor is there."""
    stage_s: float
    end_s: float
    shares: Mapping[str, float]
    """Of `elapsed_s`, by what it went into: `start and end`, and what slots spent their time on (`stage.CAUSES`)."""
    core_speed: float
    """Of a core, relative to those of the calibration, as it was given."""
    notes: tuple[str, ...]
    """What to bear in mind, a sentence each."""

    @property
    def limited_by(self) -> str:
        """Where most of the time goes."""
        return max(self.shares, key=lambda cause: self.shares[cause])


def predict(
    calibration: Calibration,
    spec: ClusterSpec,
    partitions: int | None,
    images: int,
    caps: Caps | None = None,
    *,
    shards: int | None = None,
    core_speed: float = 1.0,
    first: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
) -> Prediction:
    """The time of the calibrated job on `spec`.

    Args:
        calibration: Of runs of the same job.
        spec: The shape.
        partitions: Tasks that are asked for; None: what the job chooses.
        images: That it reads.
        caps: What the machines, disks and the store can move at most; None: no limit.
        shards: That it makes; None: as the calibrated job nearest in size.
        core_speed: Of a core, relative to those of the calibration; nothing here knows how fast a machine type is.
        first: It is the first run on its cluster.
        draws: How often the job is simulated, each time with other parameters, stragglers and noise; fewer for many tasks.
            0: once, with nothing that varies.
        seed: Of the draws.

    Raises:
        UsageError: a number is not positive.
    """
    for name, value in (("images", images), ("partitions", partitions or 1), ("core_speed", core_speed)):
        if not value > 0:
            raise UsageError(f"{name} is {value}; a prediction needs more than 0.")
    caps = caps or Caps()
    made = calibration.shards_for(images) if shards is None else shards
    dealt = loads(images, made, partitions)
    best = calibration.parameters
    middle = _simulate([best], calibration, spec, dealt, caps, core_speed, first, None)
    low = half = high = float(middle.total[0])
    if draws:
        low, half, high = _interval(calibration, spec, dealt, caps, core_speed, first, draws, seed)
    stage_s = float(middle.stage.seconds[0])
    spent = middle.stage.spent[0] / max(float(middle.stage.spent[0].sum()), 1e-12)
    whole = float(middle.total[0])
    shares = {START: (whole - stage_s) / whole}
    for cause, share in zip(CAUSES, spent, strict=True):
        shares[cause] = float(share) * stage_s / whole
    return Prediction(
        spec=spec,
        partitions=partitions,
        images=images,
        elapsed_s=half,
        low_s=low,
        high_s=high,
        start_s=float(middle.start[0]),
        stage_s=stage_s,
        end_s=float(middle.end[0]),
        shares=shares,
        core_speed=core_speed,
        notes=tuple(_notes(calibration, spec, images, caps, core_speed)),
    )


def _interval(
    calibration: Calibration,
    spec: ClusterSpec,
    dealt: Sequence[Load],
    caps: Caps,
    core_speed: float,
    first: bool,
    draws: int,
    seed: int,
) -> tuple[float, float, float]:
    """5 %, the middle and 95 % of the whole time."""
    best = calibration.parameters
    sets = calibration.draws or (best,)
    # Spreads are those of all runs: a draw of few runs may have none.
    sets = tuple(
        replace(one, task_spread=best.task_spread, run_spread=best.run_spread, fixed_spread=best.fixed_spread)
        for one in sets
    )
    count = max(min(draws, _MOST_CELLS // len(dealt)), min(_LEAST_DRAWS, draws))
    random = np.random.default_rng([seed, len(dealt), sum(load.images for load in dealt)])
    drawn = [sets[number % len(sets)] for number in range(count)]
    outcome = _simulate(drawn, calibration, spec, dealt, caps, core_speed, first, random)
    whole = outcome.total * np.exp(_MODEL_SPREAD * random.standard_normal(count))
    low, half, high = np.percentile(whole, [5, 50, 95]).tolist()
    return low, half, high


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Each array is (D,)."""

    start: Floats
    stage: Stage
    end: Floats

    @property
    def total(self) -> Floats:
        return self.start + self.stage.seconds + self.end


def _simulate(
    sets: Sequence[Parameters],
    calibration: Calibration,
    spec: ClusterSpec,
    dealt: Sequence[Load],
    caps: Caps,
    speed: float,
    first_run: bool,
    random: np.random.Generator | None,
) -> _Outcome:
    """A draw for each set of parameters; without `random` nothing varies."""

    def of(name: str) -> Floats:
        return np.array([getattr(one, name) for one in sets])

    def spread(name: str, shape: tuple[int, ...]) -> Floats:
        """Factors around 1 whose mean is 1."""
        sigma = of(name).reshape(-1, *([1] * (len(shape) - 1)))
        return np.ones(shape) if random is None else np.exp(sigma * random.standard_normal(shape) - sigma**2 / 2)

    count = len(sets)
    images = np.array([load.images for load in dealt], dtype=float)[None, :]
    shards = np.array([max(load.shards, 1) for load in dealt], dtype=float)[None, :]
    own_shards = np.array([load.shards for load in dealt], dtype=float)[None, :]
    request = request_s(caps, calibration.image_bytes)
    run = spread("run_spread", (count,))
    each = spread("task_spread", (count, len(dealt))) * run[:, None]
    image_core_s = of("image_core_s") + caps.from_store * of("store_core_s")
    window = np.array([window_s(caps, load, calibration.image_bytes) for load in dealt])[None, :]
    tasks = Tasks(
        fixed_core_s=each * (of("task_core_s")[:, None] + of("shard_core_s")[:, None] * own_shards) / speed,
        fixed_wait_s=each * of("shard_requests")[:, None] * shards * request,
        stream_core_s=each * image_core_s[:, None] * images / speed,
        stream_wait_s=each * window,
        read_bytes=np.broadcast_to(images * calibration.image_bytes, each.shape),
        written_bytes=np.broadcast_to(images * calibration.written_bytes, each.shape),
    )
    first_core_s = of("first_task_core_s") + caps.from_store * of("first_store_core_s")
    first = First(first_core_s * run / speed, of("first_task_requests") * request)
    local = spec.provider == "local"
    nodes, cores = spec.task_nodes, spec.task_node.cores
    fixed = spread("fixed_spread", (count,))
    further = nodes - 1 if local else 0
    total_images = float(images.sum())
    start = of("start_s") + caps.from_store * of("start_store_s") + of("start_image_s") * total_images
    start += of("start_executor_s") * further + first_run * of("start_first_s")
    start = start / speed + of("start_requests") * request
    end = (of("end_s") + of("end_image_s") * total_images) / speed
    slots = slots_of(
        [cores] * nodes,
        [0] * nodes if local else list(range(nodes)),
        [float(calibration.machine_cores)] if local else [float(cores)] * nodes,
        [0.0] * nodes,
    )
    stage = run_stage(tasks, first, slots, caps, of("contention"))
    ready = of("ready_s") / speed
    return _Outcome(start * fixed + ready, stage, end * fixed)


def _notes(calibration: Calibration, spec: ClusterSpec, images: int, caps: Caps, speed: float) -> list[str]:
    notes = list(calibration.notes)
    types = {shape.task_node.machine_type for shape in calibration.shapes}
    if spec.task_node.machine_type not in types:
        told = "as fast as" if speed == 1.0 else f"{speed:g} times as fast as"
        notes.append(
            f"A core of {spec.task_node.machine_type} is taken to be {told} one of {', '.join(sorted(types))}."
        )
    most = max(shape.task_cores for shape in calibration.shapes)
    if spec.task_cores > 4 * most:
        notes.append(f"{spec.task_cores} cores are taken; no run had more than {most}.")
    largest = max(calibration.shards)
    if images > 4 * largest:
        notes.append(f"{images:,} images are read; no run read more than {largest:,}.")
    if caps.to_store and math.isinf(caps.network_bytes_per_s):
        notes.append("Writing to the store is taken to cost no more than writing files.")
    return notes
