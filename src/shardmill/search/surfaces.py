"""Random run-time surfaces from a physical model of a parallel job: what anybody would expect before the first run.

A job does some of its work in parallel over cores, some through each node's disk and network, some on one core, and pays
for each node it must coordinate; where the memory of the cluster, or of a core, no longer holds what the job keeps, it
spills, recomputes or dies. Drawing the shares at random gives one surface; thousands of them, weighted by how well they
explain the runs seen, make the prior of the search (`physical.py`). Nothing here was fitted to a workload: ranges are wide
and in ratios to the candidates at hand.

| symbol | shape | meaning |
|---|---|---|
| M | | surfaces |
| K | | candidates |
| log_time | (M, K) | natural log of seconds, up to a constant of each surface |
| death | (M, K) | probability that a run dies: of a time limit of the job, or of memory |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shardmill.search.settings import Prior
from shardmill.search.shapes import ShapeTable

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Surfaces:
    """M surfaces over K candidates."""

    log_time: Floats
    death: Floats


def draw_surfaces(table: ShapeTable, prior: Prior, rng: np.random.Generator) -> Surfaces:
    """Draw `prior.surfaces` surfaces over the candidates of `table`."""
    count = prior.surfaces

    def uniform(low: float, high: float) -> Floats:
        return rng.uniform(low, high, (count, 1))

    nodes, node_cores = table.nodes[None, :], table.node_cores[None, :]
    log_cores = np.log(nodes * node_cores)
    middle = float(np.median(log_cores))
    speed = rng.normal(0.0, prior.family_speed, (count, len(table.families)))[:, table.family_index]
    scaling = 1.0 - 0.25 * rng.random((count, 1)) ** 2  # most jobs spread well, few perfectly
    crowding = np.clip(rng.normal(0.05, 0.08, (count, 1)), -0.1, 0.35)  # cores of one node share caches and memory
    log_node_cores = np.log(node_cores) - float(np.mean(np.log(node_cores)))
    compute = np.exp(-scaling * (log_cores - middle) + crowding * log_node_cores)
    disk_growth = uniform(0.0, 1.0)  # how far a larger node has a faster disk and network
    log_disks = np.log(nodes) + disk_growth * np.log(node_cores)
    disks = np.exp(-(log_disks - np.median(log_disks, axis=1, keepdims=True)))
    log_pressure, slow_down = _memory(table, prior, rng)
    # The share that suffers from lack of memory is the parallel one: it is what is cached and shuffled.
    share = uniform(0.0, 1.0)
    parallel = compute * (1.0 + slow_down * np.where(share < 0.7, 1.0, 0.0)) + 10.0 ** uniform(
        *prior.per_disk
    ) * disks * (1.0 + slow_down)
    rest = 10.0 ** uniform(*prior.serial) + 10.0 ** uniform(*prior.per_node) * nodes / float(np.median(nodes))
    log_time = np.log(parallel + rest) - speed * (1.0 - 0.5 * share)
    if table.extras.shape[1]:
        log_time = log_time + _extras(table, rng, count)
    log_time -= log_time.mean(axis=1, keepdims=True)
    return Surfaces(log_time, _death(log_time, log_pressure, prior, rng))


def _death(log_time: Floats, pressure: Floats, prior: Prior, rng: np.random.Generator) -> Floats:
    """Each surface has its own time limit and its own lack of memory at which a run dies, or none; shape (M, K)."""
    count = len(log_time)
    fastest, slowest = log_time.min(axis=1, keepdims=True), log_time.max(axis=1, keepdims=True)
    limit = fastest + (slowest - fastest) * np.sqrt(rng.random((count, 1)))  # rarely so low that most runs die
    limit = np.where(rng.random((count, 1)) < prior.time_limit, limit, np.inf)
    lack = np.where(rng.random((count, 1)) < prior.memory_death, rng.uniform(0.0, 2.5, (count, 1)), np.inf)
    survival = 1.0 - _step(log_time - limit)
    survival *= 1.0 - _step(pressure - lack)
    death: Floats = 1.0 - survival
    return death


def _step(x: Floats) -> Floats:
    """From 0 to 1 around 0, over about a third: the surface is not exact."""
    return 1.0 / (1.0 + np.exp(-np.clip(x / 0.08, -40.0, 40.0)))


def _memory(table: ShapeTable, prior: Prior, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Log pressure, and the slow-down it brings (0 where all fits), both (M, K)."""
    count = prior.surfaces
    system = rng.uniform(0.0, 0.35, (count, 1)) * float(table.node_memory_gb.min())  # of each node, for the system
    usable = table.node_memory_gb[None, :] - system
    total = np.log(table.nodes[None, :] * usable)
    per_core = np.log(usable / table.node_cores[None, :])
    pressure = np.full(total.shape, -np.inf)
    for log_there, probability in ((total, prior.memory), (per_core, prior.core_memory)):
        low, high = float(log_there.min()) - 0.5, float(log_there.max()) + 0.5
        need = rng.uniform(low, high, (count, 1))
        matters = rng.random((count, 1)) < probability
        pressure = np.maximum(pressure, np.where(matters, need - log_there, -np.inf))
    lacking = 1.0 - np.exp(-np.clip(pressure, 0.0, None))  # the share that does not fit
    low, high = np.log(prior.penalty[0]), np.log(prior.penalty[1])
    penalty = np.exp(rng.uniform(low, high, (count, 1)))
    steepness = np.exp(rng.uniform(np.log(prior.steepness[0]), np.log(prior.steepness[1]), (count, 1)))
    return np.clip(pressure, -5.0, 5.0), penalty * lacking**steepness


def _extras(table: ShapeTable, rng: np.random.Generator, count: int) -> Floats:
    """Effect of partitions, disks and networks: a shallow bowl with its floor anywhere; shape (M, K)."""
    effect = np.zeros((count, len(table)))
    for column in table.extras.T:
        low, high = float(column.min()), float(column.max())
        floor = rng.uniform(low - 1.0, high + 1.0, (count, 1))
        depth = rng.exponential(0.05, (count, 1))
        effect += depth * np.abs(column[None, :] - floor)
    return effect
