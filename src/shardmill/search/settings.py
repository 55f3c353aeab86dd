"""Everything in the default strategy that was chosen by measurement: how, `docs/decisions/0028` tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Prior:
    """Widths of the physical model of `surfaces.py`."""

    surfaces: int = 6000
    family_speed: float = 0.35
    """Standard deviation of the log speed of a family's core."""
    serial: tuple[float, float] = (-2.5, 1.0)
    """Log10 of the part on one core, over the parallel part at the middle candidate: uniform between."""
    per_node: tuple[float, float] = (-3.0, 0.5)
    """The same of the part that grows with the number of nodes."""
    per_disk: tuple[float, float] = (-2.5, 0.7)
    """The same of the part that each node's disk and network do."""
    memory: float = 1.0
    """Probability that the memory of the cluster matters."""
    core_memory: float = 0.35
    """Probability that the memory of a core matters."""
    penalty: tuple[float, float] = (0.3, 10.0)
    """Slow-down where nothing fits any more, less one: log-uniform between."""
    steepness: tuple[float, float] = (0.05, 1.5)
    """Power of the share that does not fit: near 0 a cliff (a cache that is scanned in order), above 1 a slope."""
    time_limit: float = 0.25
    """Probability that a time limit ends the runs on some of the candidates."""
    memory_death: float = 0.2
    """Probability that runs die, not just slow down, where memory lacks."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Of `physical.py`."""

    prior: Prior = field(default_factory=Prior)
    length_scales: tuple[float, ...] = (0.7, 1.5, 3.0)
    """Of the error, in doublings of cores or memory."""
    amplitudes: tuple[float, ...] = (0.1, 0.2, 0.35, 0.7)
    """Standard deviations of the error, in log score."""
    raggedness: tuple[float, ...] = (0.02, 0.05, 0.1)
    """Standard deviations of what a shape has alone and no neighbour tells, in log score."""
    noises: tuple[float, ...] = (0.015,)
    """Standard deviations of one run, in log score."""
    hypotheses: int = 384
    """Pairs of surface and kernel that are kept for predictions."""
    tempering: float = 1.0
    """Power of the likelihood; below 1 trusts the model less."""
    plain_share: float = 0.0
    """Prior weight of no physics at all: work that spreads perfectly over equal cores, and the error for the rest."""
    doubt: float = 0.55
    """What the probability of having missed something is multiplied by before it is said. Errors as large as these see more
    chances of something better than there are; the factor is calibrated on workloads and changed workloads."""
    failure_rate: float = 0.03
    """Probability that a run fails for reasons no model explains."""
    history_share: float = 0.3
    """Prior weight of surfaces that explain earlier workloads, where there are any."""
    history_runs: float = 8.0
    """How many runs of an earlier workload count in full; more would leave one surface of each."""
    caution: float = 1.0
    """What a failed first run costs, in log score."""


SHIPPED: Final = Settings()
