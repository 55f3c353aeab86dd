"""How sure a difference between two cells is: ratios of geometric means, with the variance of repetitions pooled over cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shardmill.model.distributions import t_quantile

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Repetition:
    """What repetitions of the same cell differ by."""

    deviation: float
    """Standard deviation of the log within cells; nan without a repetition."""
    dof: int
    """Runs less cells; 0 without a repetition."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """One cell over another."""

    value: float
    """1.12 is 12 % more."""
    interval: tuple[float, float] | None
    """95%; None without repetitions."""

    @property
    def sure(self) -> bool:
        """Its interval leaves out 1."""
        return self.interval is not None and not self.interval[0] <= 1 <= self.interval[1]


def repetition_of(cells: Sequence[Sequence[float]]) -> Repetition:
    """From the values of each cell, all above 0. With few runs a cell, one deviation for all of them is the better known."""
    squares, dof = 0.0, 0
    for values in cells:
        logs = [math.log(value) for value in values]
        mean = math.fsum(logs) / len(logs)
        squares += math.fsum((value - mean) ** 2 for value in logs)
        dof += len(logs) - 1
    return Repetition(math.sqrt(squares / dof) if dof else math.nan, dof)


def ratio_of(above: Sequence[float], below: Sequence[float], repetition: Repetition, comparisons: int = 1) -> Ratio:
    """Geometric mean of `above` over that of `below`.

    `comparisons` is how many such ratios are looked at together: their intervals then hold all at once (Bonferroni).
    """
    value = _log_mean(above) - _log_mean(below)
    if not repetition.dof:
        return Ratio(math.exp(value), None)
    error = repetition.deviation * math.sqrt(1 / len(above) + 1 / len(below))
    half = t_quantile(1 - (1 - CONFIDENCE) / max(comparisons, 1), repetition.dof) * error
    return Ratio(math.exp(value), (math.exp(value - half), math.exp(value + half)))


def _log_mean(values: Sequence[float]) -> float:
    return math.fsum(math.log(value) for value in values) / len(values)
