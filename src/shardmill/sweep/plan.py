"""The order of a sweep: shapes at random, each cluster made once, the runs on it at random."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shardmill.clusters.base import ClusterSpec
from shardmill.sweep.evidence import Cell, RunSeen
from shardmill.sweep.request import SweepRequest


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run that is to be made."""

    cell: Cell
    repetition: int
    position: int


@dataclass(frozen=True, slots=True)
class PlannedCluster:
    """One cluster and the runs on it, in their order."""

    spec: ClusterSpec
    runs: tuple[PlannedRun, ...]


def plan_sweep(request: SweepRequest, seed: int) -> list[PlannedCluster]:
    """Every run, in the order of the sweep. Within a shape, each repetition runs every number of partitions once before
    the next begins, so that what drifts does not look like an effect."""
    shuffle = random.Random(seed)
    shapes = shuffle.sample(request.shapes, len(request.shapes))
    planned, position = [], 0
    for spec in shapes:
        runs = []
        for repetition in range(request.repetitions):
            for partitions in shuffle.sample(request.partitions, len(request.partitions)):
                runs.append(PlannedRun(Cell(spec.name, partitions), repetition, position))
                position += 1
        planned.append(PlannedCluster(spec, tuple(runs)))
    return planned


def what_is_left(planned: Sequence[PlannedCluster], made: Iterable[RunSeen]) -> list[PlannedCluster]:
    """The runs that are not among `made`; clusters without any are left out."""
    done = {(run.cell, run.repetition) for run in made}
    left = [
        PlannedCluster(cluster.spec, tuple(run for run in cluster.runs if (run.cell, run.repetition) not in done))
        for cluster in planned
    ]
    return [cluster for cluster in left if cluster.runs]
