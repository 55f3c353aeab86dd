"""What the residuals say of a fit: whether its form bends away from the cells, whether noise is even, drift, outliers.

Each check is a test with a p-value; a small one says that what is checked does not hold. The noise of a measurement is judged
within cells, from repetitions, where no model can spoil it.

Source: Draper and Smith, Applied Regression Analysis, chapter 2 (lack of fit against pure error); Brown and Forsythe, "Robust
tests for the equality of variances", JASA 69 (1974); Jarque and Bera, "A test for normality of observations and regression
residuals", International Statistical Review 55 (1987).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from shardmill.model.distributions import f_tail, t_tail
from shardmill.model.observations import Observations
from shardmill.model.predictors import Model, cell_medians
from shardmill.model.regression import Array, Fit

_FAR: Final = 5.0
_MAD: Final = 1.4826
_SURE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the residuals."""

    name: Literal["form", "evenness", "normality"]
    statistic: float
    p: float

    @property
    def holds(self) -> bool | None:
        """Nothing speaks against it at 1 %; None where the rows cannot tell."""
        return None if math.isnan(self.p) else self.p >= _SURE


def checks(model: Model, found: Fit, seen: Observations) -> tuple[Check, ...]:
    """Form, evenness and normality, on residuals scaled by the weights of the fit."""
    measured = seen.rate if model.target == "rate" else seen.seconds
    root = np.sqrt(found.weights)
    return (
        _form(measured * root, found.fitted * root, root, seen, len(found.coefficients)),
        _evenness(measured * root, seen),
        _normality(_within(measured * root, seen)),
    )


@dataclass(frozen=True, slots=True)
class Drift:
    """How throughput moved while the whole run went on."""

    share: float
    """From the first row to the last, as a share; cells compared with themselves only."""
    p: float


def drift(seen: Observations) -> Drift:
    """The slope of throughput on the place in the run's random order, within cells."""
    moved = _within(np.log(seen.rate), seen)
    place = _within(seen.position, seen)
    squares = float((place**2).sum())
    dof = len(seen) - len(np.unique(seen.cell)) - 1
    if squares == 0 or dof < 3:
        return Drift(math.nan, math.nan)
    slope = float((place * moved).sum()) / squares
    rest = moved - slope * place
    error = math.sqrt(float((rest**2).sum()) / dof / squares)
    share = math.expm1(slope * float(np.ptp(seen.position)))
    return Drift(share, t_tail(slope / error, dof) if error > 0 else math.nan)


def outliers(seen: Observations) -> Array:
    """For each row whether it lies further from the median of its cell than repetitions do, by far; shape (n,)."""
    away = np.log(seen.rate) - np.log(cell_medians(seen.rate, seen))
    spread = _MAD * float(np.median(np.abs(away)))
    return np.asarray(np.abs(away) > max(_FAR * spread, 1e-9), np.float64)


def _within(values: Array, seen: Observations) -> Array:
    centred = values.copy()
    for cell in np.unique(seen.cell):
        rows = seen.cell == cell
        centred[rows] -= values[rows].mean()
    return centred


def _form(measured: Array, expected: Array, root: Array, seen: Observations, terms: int) -> Check:
    """Whether the cells' own means, weighted, lie where the fit says."""
    pure = 0.0
    cells = np.unique(seen.cell)
    for cell in cells:
        rows = seen.cell == cell
        weights = root[rows] ** 2
        mean = float((measured[rows] * root[rows]).sum() / weights.sum())
        pure += float(((measured[rows] - mean * root[rows]) ** 2).sum())
    dof, dof_pure = len(cells) - terms, len(seen) - len(cells)
    lack = float(((measured - expected) ** 2).sum()) - pure
    if dof < 1 or dof_pure < 1 or pure <= 0:
        return Check("form", math.nan, math.nan)
    statistic = max(0.0, lack) / dof / (pure / dof_pure)
    return Check("form", statistic, f_tail(statistic, dof, dof_pure))


def _evenness(measured: Array, seen: Observations) -> Check:
    """Whether repetitions scatter alike in all cells: a one-way analysis of distances from the cells' medians."""
    cells = [cell for cell in np.unique(seen.cell) if (seen.cell == cell).sum() > 2]
    away = [np.abs(measured[seen.cell == cell] - np.median(measured[seen.cell == cell])) for cell in cells]
    count = sum(map(len, away))
    if len(cells) < 2 or count <= len(cells):
        return Check("evenness", math.nan, math.nan)
    mean = float(np.concatenate(away).mean())
    between = sum(len(one) * (float(one.mean()) - mean) ** 2 for one in away) / (len(cells) - 1)
    within = sum(float(((one - one.mean()) ** 2).sum()) for one in away) / (count - len(cells))
    if not within > 0:
        return Check("evenness", math.nan, math.nan)
    return Check("evenness", between / within, f_tail(between / within, len(cells) - 1, count - len(cells)))


def _normality(residuals: Array) -> Check:
    """Skewness and kurtosis together; asymptotic, so that fewer than 30 rows are not asked."""
    count = len(residuals)
    spread = float(np.mean(residuals**2))
    if count < 30 or not spread > 0:
        return Check("normality", math.nan, math.nan)
    skewness = float(np.mean(residuals**3)) / spread**1.5
    excess = float(np.mean(residuals**4)) / spread**2 - 3
    statistic = count / 6 * (skewness**2 + excess**2 / 4)
    return Check("normality", statistic, math.exp(-statistic / 2))
