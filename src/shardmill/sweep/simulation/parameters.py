"""What a simulation is made of. Seconds, bytes and counts; core-seconds are those of a core whose neighbours are idle.

A job is: start (driver, planning, executors), the main stage, end. The stage is tasks on slots, a slot for each core. A task is
    fixed      contention x (task_core_s + first_task_core_s + first_store_core_s + shards x shard_core_s)
               + (first_task_requests + shards x shard_requests) x request
    streaming  the longest of: contention x images x (image_core_s + store_core_s), what the requests under way at once
               allow, and its share of network, store and disk
where `first_*` is for the first task on each slot alone, `*store_core_s` where images come from a store, and request is
the time of one request there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = Any | NDArray[np.float64]
"""A float or an array of them."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """One set of values."""

    start_s: float
    """From the driver's start to the arrival of the first executor, with no image in files here."""
    start_store_s: float
    """More of it where images come from a store: its client is loaded."""
    start_image_s: float
    """More of it for each image, which is listed and planned."""
    start_requests: float
    """Requests to the store that follow one another meanwhile."""
    start_executor_s: float
    """More of it for each further executor on the machine of the driver (local clusters)."""
    start_first_s: float
    """More of it in the first run on a cluster, where everything is cold."""
    ready_s: float
    """From the arrival of an executor to its first task."""
    first_task_core_s: float
    first_store_core_s: float
    first_task_requests: float
    task_core_s: float
    shard_core_s: float
    shard_requests: float
    image_core_s: float
    store_core_s: float
    """An image more, where it comes from a store: the work of the client."""
    contention: float
    """How much longer a core takes when all cores of its machine are busy: 0.2 is a fifth longer."""
    end_s: float
    """From the end of the last task to the end of the driver."""
    end_image_s: float
    """More of it for each image."""
    task_spread: float
    """Of tasks of one run that do the same: standard deviation of the logarithm of their time."""
    run_spread: float
    """The same of whole stages, from run to run."""
    fixed_spread: float
    """The same of start and end together."""


def slowdown(contention: Values, busy: Values, cores: Values) -> Values:
    """How much longer work on a core takes while `busy` of a machine's `cores` are: contention, and shares of a core beyond that.

    What one core of two takes from the other, all cores of a larger machine are taken to take from one another: vCPUs are
    pairs of threads of a core, and memory grows with the machine. All three are numbers or arrays that broadcast.
    """
    shared = np.clip((np.minimum(busy, cores) - 1) / np.maximum(cores - 1, 1), 0.0, None)
    slow: Values = (1 + contention * shared) * np.maximum(busy / cores, 1.0)
    return slow


NAMES = tuple(field.name for field in fields(Parameters))


def percentile(sets: Sequence[Parameters], share: float) -> Parameters:
    """Of each parameter by itself, over `sets`."""
    values = np.array([[getattr(one, name) for name in NAMES] for one in sets])
    return Parameters(*np.percentile(values, 100 * share, axis=0).tolist())
