"""Which model predicts what it has not seen: cells are held out whole, so that no repetition of them leaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shardmill.model.distributions import t_quantile
from shardmill.model.observations import Observations
from shardmill.model.predictors import Model, predicted_rate, solved
from shardmill.model.regression import CONFIDENCE, Array

_MOST_FOLDS: Final = 60


@dataclass(frozen=True, slots=True)
class Score:
    """How one model did."""

    model: str
    terms: int
    """Coefficients that the rows can tell."""
    r2: float
    """Of throughput, on the rows that it was fitted to."""
    held_out_r2: float
    """Of throughput, on rows of held-out cells; below 0 where the mean would have done better."""
    held_out_error: float
    """Median over held-out rows of |predicted - measured| / measured."""
    held_out_rmse: float
    """Root mean square error on held-out rows, images/s."""
    errors: Array
    """By cell: mean over its rows of |predicted - measured| / measured."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All models on the same rows."""

    scores: tuple[Score, ...]
    folds: int
    """Times that cells were held out; one cell a time where that equals the number of cells."""
    best: Score
    """Smallest held-out error."""
    lead: tuple[float, float, float] | None
    """How much larger the error of the next best is, cell by cell, and its 95 % interval; None where it cannot be told."""
    runner_up: Score | None

    @property
    def clear(self) -> bool:
        """The best is better than the next by more than chance."""
        return self.lead is not None and self.lead[1] > 0


def compare(models: Sequence[Model], seen: Observations) -> Comparison | None:
    """Fit each model with each fold of cells held out; None where there are fewer than three cells."""
    cells = np.unique(seen.cell)
    if len(cells) < 3:
        return None
    order = np.random.default_rng(0).permutation(cells)
    folds = np.array_split(order, min(len(cells), _MOST_FOLDS))
    scores = [_scored(model, seen, folds) for model in models]
    ranked = sorted(scores, key=lambda score: (not math.isfinite(score.held_out_error), score.held_out_error))
    best, runner_up = ranked[0], next((one for one in ranked[1:] if math.isfinite(one.held_out_error)), None)
    return Comparison(tuple(scores), len(folds), best, None if runner_up is None else _lead(best, runner_up), runner_up)


def _scored(model: Model, seen: Observations, folds: Sequence[Array]) -> Score:
    found = solved(model, seen)
    expected = np.empty(len(seen))
    for fold in folds:
        held = np.isin(seen.cell, fold)
        expected[held] = predicted_rate(model, solved(model, seen.only(~held)), seen.only(held))
    relative = np.abs(expected - seen.rate) / seen.rate
    by_cell = np.array([relative[seen.cell == cell].mean() for cell in np.unique(seen.cell)])
    return Score(
        model=model.name,
        terms=len(found),
        r2=r_squared(seen.rate, predicted_rate(model, found, seen)),
        held_out_r2=r_squared(seen.rate, expected),
        held_out_error=float(np.median(relative)),
        held_out_rmse=float(np.sqrt(np.mean((expected - seen.rate) ** 2))),
        errors=by_cell,
    )


def r_squared(measured: Array, expected: Array) -> float:
    """Share of the variance of `measured` that `expected` explains; nan where it does not vary."""
    total = float(((measured - measured.mean()) ** 2).sum())
    if not total > 0 or not np.isfinite(expected).all():
        return math.nan
    return 1 - float(((measured - expected) ** 2).sum()) / total


def _lead(best: Score, other: Score) -> tuple[float, float, float] | None:
    gaps = other.errors - best.errors
    if len(gaps) < 3 or not np.isfinite(gaps).all():
        return None
    half = t_quantile(CONFIDENCE, len(gaps) - 1) * float(gaps.std(ddof=1)) / math.sqrt(len(gaps))
    mean = float(gaps.mean())
    return mean, mean - half, mean + half
