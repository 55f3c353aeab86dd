"""What a sweep may spend, and what the next step is reckoned to take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from shardmill.clusters.base import ClusterSpec
from shardmill.sweep.evidence import Cell, ClusterSeen, RunSeen
from shardmill.sweep.row import Price

CREATION_S: Final[Mapping[str, float]] = {"local": 15.0, "dataproc": 150.0}
"""What making a cluster takes until one was made: seconds by provider."""
DELETION_S: Final[Mapping[str, float]] = {"local": 5.0, "dataproc": 90.0}
_RISK: Final = 1.3
"""A run may take so many times what one like it took."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a sweep; None: none."""

    max_usd: float | None = None
    max_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What was spent, and what more would be, from what was seen so far."""

    budget: Budget
    price: Price
    expect_s: float
    clusters: Sequence[ClusterSeen]
    runs: Sequence[RunSeen]
    clock: Callable[[], float]

    def spent_usd(self) -> float:
        """By all clusters so far, one that runs until now included; clusters without a price cost nothing."""
        return math.fsum(self.price(seen.spec, self._age_s(seen)) or 0.0 for seen in self.clusters)

    def spent_s(self) -> float:
        """Cluster time, seconds: clusters come one after the other."""
        return math.fsum(self._age_s(seen) for seen in self.clusters)

    def run_s(self, cell: Cell) -> float:
        """What a run is reckoned to take: as those of its cell, else of its shape, else of all, else as the user expects."""
        alike = [
            [run for run in self.runs if run.cell == cell],
            [run for run in self.runs if run.cell.shape == cell.shape],
            list(self.runs),
        ]
        seen = next((runs for runs in alike if runs), None)
        return self.expect_s if seen is None else median(run.outcome.elapsed_s for run in seen)

    def creation_s(self, spec: ClusterSpec) -> float:
        seen = [
            cluster.ready_at - cluster.asked_at
            for cluster in self.clusters
            if cluster.spec.provider == spec.provider and cluster.ready_at is not None
        ]
        return median(seen) if seen else CREATION_S.get(spec.provider, max(CREATION_S.values()))

    def deletion_s(self, spec: ClusterSpec) -> float:
        return DELETION_S.get(spec.provider, max(DELETION_S.values()))

    def objection(self, spec: ClusterSpec, cell: Cell, *, running: bool) -> str:
        """Why the next run cannot be afforded, or an empty string; `running`: its cluster is there already."""
        more = _RISK * self.run_s(cell) + self.deletion_s(spec) + (0.0 if running else self.creation_s(spec))
        return self.beyond(spec, more)

    def beyond(self, spec: ClusterSpec, seconds: float) -> str:
        """Why a cluster cannot be had for so long, or longer, or an empty string."""
        if self.budget.max_s is not None and self.spent_s() + seconds > self.budget.max_s:
            return f"the next run, {seconds:.0f} s with its cluster, would pass the limit of time"
        usd = self.price(spec, seconds)
        if self.budget.max_usd is not None and usd is not None and self.spent_usd() + usd > self.budget.max_usd:
            return f"the next run, {usd:.4f} USD with its cluster, would pass the limit of cost"
        return ""

    def longest_run_s(self, spec: ClusterSpec) -> float | None:
        """When a run must be stopped for the budget to hold with the cluster's deletion; None without a budget."""
        limits = []
        if self.budget.max_s is not None:
            limits.append(self.budget.max_s - self.spent_s() - self.deletion_s(spec))
        per_hour = self.price(spec, 3600.0)
        if self.budget.max_usd is not None and per_hour:
            limits.append((self.budget.max_usd - self.spent_usd()) / per_hour * 3600 - self.deletion_s(spec))
        return max(min(limits), 1.0) if limits else None

    def _age_s(self, seen: ClusterSeen) -> float:
        return (self.clock() if seen.deleted_at is None else seen.deleted_at) - seen.asked_at
