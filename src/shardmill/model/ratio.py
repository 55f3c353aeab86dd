"""How many times as fast: ratios of throughput over cells that two arms have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shardmill.model.distributions import t_quantile
from shardmill.model.observations import Factors, Observations
from shardmill.model.regression import CONFIDENCE

_FEW: Final = 3


@dataclass(frozen=True, slots=True)
class Ratio:
    """Throughput of one arm over that of another."""

    value: float
    """Geometric mean over the common cells."""
    interval: tuple[float, float]
    """95 %."""
    cells: tuple[tuple[Factors, float], ...]
    """The ratio in each common cell, of geometric means over its repetitions."""

    @property
    def smallest(self) -> tuple[Factors, float]:
        return min(self.cells, key=lambda entry: entry[1])

    @property
    def largest(self) -> tuple[Factors, float]:
        return max(self.cells, key=lambda entry: entry[1])

    @property
    def inverse(self) -> Ratio:
        """The other over the one."""
        low, high = self.interval
        cells = tuple((factors, 1 / value) for factors, value in self.cells)
        return Ratio(1 / self.value, (1 / high, 1 / low if low > 0 else math.inf), cells)

    @property
    def sure(self) -> bool:
        """Its interval leaves out 1."""
        return self.interval[0] > 1 or self.interval[1] < 1


def ratio(above: Observations, below: Observations) -> Ratio | None:
    """The ratio over the cells that both have; None where they share none.

    With three or more common cells these are the witnesses, so that the interval holds for cells like them; with fewer,
    repetitions are, by Welch's t on logarithms, and the interval holds for these cells alone.
    """
    one, other = _logs(above), _logs(below)
    common = [factors for factors in one if factors in other]
    if not common:
        return None
    gaps = np.array([float(np.mean(one[factors])) - float(np.mean(other[factors])) for factors in common])
    centre = float(gaps.mean())
    if len(gaps) >= _FEW:
        half = t_quantile(CONFIDENCE, len(gaps) - 1) * float(gaps.std(ddof=1)) / math.sqrt(len(gaps))
    else:
        half = _welch([(one[factors], other[factors]) for factors in common])
    interval = (math.exp(centre - half), math.exp(centre + half)) if math.isfinite(half) else (0.0, math.inf)
    cells = tuple((factors, math.exp(gap)) for factors, gap in zip(common, gaps, strict=True))
    return Ratio(math.exp(centre), interval, cells)


def _welch(pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    """Half the interval of the mean gap; without bound where a cell was measured once."""
    samples = [sample for pair in pairs for sample in pair]
    if any(len(sample) < 2 for sample in samples):
        return math.inf
    parts = [float(np.var(sample, ddof=1)) / len(sample) for sample in samples]
    total = sum(parts)
    if total == 0:
        return 0.0
    dof = total**2 / sum(part**2 / (len(sample) - 1) for part, sample in zip(parts, samples, strict=True))
    return t_quantile(CONFIDENCE, dof) * math.sqrt(total) / len(pairs)


def _logs(seen: Observations) -> Mapping[Factors, list[float]]:
    found: dict[Factors, list[float]] = {}
    for cell, rate in zip(seen.cell, seen.rate, strict=True):
        found.setdefault(seen.cells[cell], []).append(math.log(rate))
    return found


def centre(values: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """The geometric mean of positive values and its 95 % interval, by Student's t on logarithms."""
    logs = np.log(values)
    middle = float(logs.mean())
    if len(logs) < 2:
        return math.exp(middle), (0.0, math.inf)
    half = t_quantile(CONFIDENCE, len(logs) - 1) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return math.exp(middle), (math.exp(middle - half), math.exp(middle + half))
