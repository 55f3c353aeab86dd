"""Fits the parameters of the simulation.

Times of tasks are fitted by non-negative least squares of relative errors, contention by a search around them, with little
weight on what the runs cannot tell apart: cost that may be the image's, the shard's or the task's is the image's, and
requests are as many as the command is written to make. Start and end are fitted in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shardmill.search.ernest import nonnegative_least_squares
from shardmill.sweep.simulation.caps import Caps
from shardmill.sweep.simulation.parameters import Parameters, slowdown
from shardmill.sweep.simulation.sighting import Sighting
from shardmill.sweep.simulation.work import Load

Floats = NDArray[np.float64]

_CONTENTIONS: Final = np.linspace(0.0, 1.0, 11)
_STREAMED: Final = 0.7
"""A task whose data could have come in less than this share of its time on the core was not held up by it."""
_LEAST_SPREAD: Final = 0.01
_HELD: Final = 0.01
"""How firmly terms are held: as if each were seen to be what is usual with an error of a hundred times its part."""
_ROUNDS: Final = 5
_HUBER: Final = 1.345
_REQUESTS: Final = {"prepare": (64.0, 1.0)}
"""Requests that follow one another, by command: while planning (`plan.listing` samples as many inputs), and for a shard,
whose first image nothing is read ahead of."""
_BY_DESIGN: Final = (4.0, 40.0)
"""How much more firmly these are held to than other parameters to 0: planning makes some more, a shard does not."""

# The terms of each fit, by the parameter they give, with how firmly each is held to 0 or to what is usual. Columns are in
# the same order.
_START: Final = {
    "start_s": 0.0,
    "start_store_s": 1.0,
    "start_image_s": 1.0,
    "start_requests": _BY_DESIGN[0],
    "start_executor_s": 1.0,
    "start_first_s": 1.0,
}
_END: Final = {"end_s": 0.0, "end_image_s": 1.0}
_TASK: Final = {
    "first_task_core_s": 1.0,
    "task_core_s": 1.0,
    "shard_core_s": 1.0,
    "image_core_s": 0.0,
    "store_core_s": 1.0,
    "first_store_core_s": 1.0,
    "first_task_requests": 1.0,
    "shard_requests": _BY_DESIGN[1],
}
_STREAM: Final = [place for place, name in enumerate(_TASK) if name in ("image_core_s", "store_core_s")]


def request_s(caps: Caps, image_bytes: float) -> float:
    """One request for an image, alone; 0 for files."""
    return caps.request_s(image_bytes) if caps.from_store else 0.0


def fit(seen: Sequence[Sighting], image_bytes: float, near: Parameters | None = None) -> Parameters:
    """The parameters of `seen`; contention is looked for `near` others where they are given."""
    planning, of_shard = _REQUESTS.get(seen[0].command, (0.0, 0.0))
    start_columns, end_columns = _fixed_columns(seen, image_bytes)
    start = _relative(start_columns, np.array([one.start_s for one in seen]), _START, {"start_requests": planning})
    end = _relative(end_columns, np.array([one.end_s for one in seen]), _END)
    fixed = start_columns @ start + end_columns @ end
    told = np.array([one.start_s + one.end_s for one in seen])
    work, contention = _fit_tasks(seen, image_bytes, None if near is None else near.contention, of_shard)
    task_spread, run_spread = _spreads(seen, image_bytes, work, contention)
    found = {**_named(_START, start), **_named(_END, end), **_named(_TASK, work)}
    return Parameters(
        **found,
        ready_s=median(one.ready_s for one in seen),
        contention=contention,
        task_spread=task_spread,
        run_spread=run_spread,
        fixed_spread=_spread(np.log(np.maximum(told, 1e-3) / np.maximum(fixed, 1e-3))),
    )


def _named(terms: Mapping[str, float], weights: Floats) -> dict[str, float]:
    return dict(zip(terms, weights.tolist(), strict=True))


def _fixed_columns(seen: Sequence[Sighting], image_bytes: float) -> tuple[Floats, Floats]:
    """Of start and end, a row a run."""
    ones, images = np.ones(len(seen)), np.array([float(one.images) for one in seen])
    stores = np.array([float(one.caps.from_store) for one in seen])
    requests = np.array([request_s(one.caps, image_bytes) for one in seen])
    further = np.array([float(one.spec.task_nodes - 1) if one.spec.provider == "local" else 0.0 for one in seen])
    firsts = np.array([float(one.first) for one in seen])
    start = np.column_stack([ones, stores, images, requests, further, firsts])
    return start, np.column_stack([ones, images])


def _fit_tasks(
    seen: Sequence[Sighting], image_bytes: float, near: float | None, of_shard: float
) -> tuple[Floats, float]:
    """Weights of the columns of `_TASK`, and contention."""
    choices = _CONTENTIONS if near is None else _CONTENTIONS[np.abs(_CONTENTIONS - near) < 0.15]
    if len({round(task.busy, 1) for one in seen for task in one.tasks}) == 1:
        choices = _CONTENTIONS[:1]
    held_up = _floors(seen, image_bytes)
    seconds = np.array([task.seconds for one in seen for task in one.tasks])
    best: tuple[float, Floats, float] | None = None
    for contention in choices:
        columns = _columns(seen, image_bytes, contention)
        free = held_up == 0
        if not free.any():
            free = held_up <= np.sort(held_up)[len(held_up) // 2]  # what was held up least
        work = np.zeros(columns.shape[1])
        for _ in range(3):  # which tasks were not held up is known by what they would take if they were not
            work = _relative(columns[free], seconds[free], _TASK, {"shard_requests": of_shard})
            free = held_up <= _STREAMED * (columns[:, _STREAM] @ work[_STREAM])
            if free.sum() < columns.shape[1]:
                break
        if not free.any():
            free[:] = True
        misses = np.abs(np.log(np.maximum(columns[free] @ work, 1e-3) / np.maximum(seconds[free], 1e-3)))
        loss = float(np.minimum(misses, 0.5).mean())
        if best is None or loss < best[0]:
            best = (loss, work, float(contention))
    assert best is not None
    return best[1], best[2]


def _columns(seen: Sequence[Sighting], image_bytes: float, contention: float) -> Floats:
    """A row a task, a column for each term of `_TASK`."""
    rows = []
    for one in seen:
        request = request_s(one.caps, image_bytes)
        store = float(one.caps.from_store)
        for task in one.tasks:
            slow = float(slowdown(contention, task.busy, one.cores))
            images, shards, first = float(task.load.images), float(task.load.shards), float(task.first)
            core = [slow * first, slow, slow * shards, slow * images, slow * images * store, slow * first * store]
            rows.append([*core, first * request, max(shards, 1.0) * request])
    return np.array(rows)


def _floors(seen: Sequence[Sighting], image_bytes: float) -> Floats:
    """Seconds that each task's data took to come at least, by the caps; 0 without any."""
    return np.array(
        [floor_s(one.caps, task.load, image_bytes, task.busy, task.busy_in_all) for one in seen for task in one.tasks]
    )


def floor_s(caps: Caps, load: Load, image_bytes: float, busy: float, busy_in_all: float) -> float:
    """Seconds that a task's images take to be read at least, beside others on its machine and at its store."""
    size = load.images * image_bytes
    if not caps.from_store:
        return size * busy / caps.disk_read_bytes_per_s
    return max(
        window_s(caps, load, image_bytes),
        size * busy / caps.network_bytes_per_s,
        size * busy_in_all / caps.store_bytes_per_s,
    )


def window_s(caps: Caps, load: Load, image_bytes: float) -> float:
    """Seconds that a task waits at least for its images because so many requests are under way at once and no more.

    Each shard is read by itself: the first window of each comes after one request, which `shard_requests` counts.
    """
    if not caps.from_store:
        return 0.0
    later = max(load.images - max(load.shards, 1) * caps.reads_at_once, 0)
    return later / caps.reads_at_once * (caps.latency_s + image_bytes / caps.stream_bytes_per_s)


def _spreads(seen: Sequence[Sighting], image_bytes: float, work: Floats, contention: float) -> tuple[float, float]:
    """Of tasks within their run, and of runs."""
    columns = _columns(seen, image_bytes, contention)
    stream = columns[:, _STREAM] @ work[_STREAM]
    expected = columns @ work - stream + np.maximum(stream, _floors(seen, image_bytes))
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
    """Standard deviation, by the middle four fifths: they know of long tails, and a few wild values do not move them."""
    if len(misses) < 2:
        return _LEAST_SPREAD
    low, high = np.percentile(misses, [10, 90])
    return max(float(high - low) / 2.563, _LEAST_SPREAD)


def _relative(
    columns: Floats, target: Floats, terms: Mapping[str, float], usual: Mapping[str, float] | None = None
) -> Floats:
    """Non-negative weights of the columns that miss `target` least by relative errors.

    Each is held a little, as firmly as `terms` says, towards what is `usual` for it, or 0: what others explain as well is
    theirs. Misses beyond what is usual count less, as by Huber's loss: a run that something else disturbed must not move all.
    """
    scale = np.abs(columns).mean(axis=0)
    scale[scale == 0] = 1.0
    scaled = columns / scale
    held = np.diag([_HELD * math.sqrt(len(target)) * firmness for firmness in terms.values()])
    towards = held @ (np.array([(usual or {}).get(name, 0.0) for name in terms]) * scale)
    expected, trust = np.maximum(target, 1e-3), np.ones(len(target))
    weights = np.zeros(columns.shape[1])
    for _ in range(_ROUNDS):
        middle, root = float(np.median(expected)), np.sqrt(trust)
        rows = np.vstack([scaled * (root / expected)[:, None], held / middle])
        weights = nonnegative_least_squares(rows, np.concatenate([target * root / expected, towards / middle]))
        expected = np.maximum(scaled @ weights, 0.25 * np.maximum(target, 1e-3))
        misses = np.abs(target / expected - 1)
        trust = np.minimum(1.0, _HUBER * max(1.4826 * float(np.median(misses)), 0.02) / np.maximum(misses, 1e-9))
    found: Floats = weights / scale
    return found
