"""Which predictor matters: shares of R2 that do not depend on the order in which predictors enter, and tests against nothing.

The share of a predictor is the R2 that it adds, averaged over all orders of entering (Lindeman, Merenda and Gold; in games,
Shapley's value). The shares add up to R2, also where predictors are as alike as a batch size and its product with a count.

Source: Groemping, "Relative importance for linear regression in R: the package relaimpo", Journal of Statistical Software 17
(2006); Westfall and Young, Resampling-Based Multiple Testing (1993), single-step maxT.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shardmill.model.observations import Observations
from shardmill.model.predictors import Model, fitted, terms_of
from shardmill.model.regression import Array, Coefficient

_SURE: Final = 0.05
_DRAWS: Final = 400
_DEALS: Final = 1999
_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Share:
    """One predictor of throughput."""

    name: str
    share: float
    """Of the variance of throughput."""
    interval: tuple[float, float]
    """95 %, by drawing cells anew."""
    slope: Coefficient
    """Of throughput on this predictor alone."""
    swing: float
    """What the slope makes over the range of the predictor, as a share of mean throughput."""
    swing_interval: tuple[float, float]
    p: float
    """That chance shows a correlation as strong as this one in any of the predictors; see `chances`."""


@dataclass(frozen=True, slots=True)
class Importance:
    """Which predictors matter."""

    shares: tuple[Share, ...]
    """The largest first."""
    strongest: Share | None
    """The largest share whose predictor can be told from nothing; None: there is nothing to find in these rows."""
    tied: bool
    """The next largest share is as large, as far as these cells can tell."""
    still_possible: float
    """Where nothing was found: no predictor swings throughput by more than this share of its mean over its range, or a 95 %
    interval would have shown it."""


def importance(names: Sequence[str], seen: Observations) -> Importance | None:
    """Shares of the predictors `names` that vary in these rows; None where none does."""
    columns = {name: terms_of(Model("", (name,)), seen)[1].column for name in names}
    varying = [name for name in names if np.ptp(columns[name]) > 0]
    if not varying or len(np.unique(seen.cell)) < 3:
        return None
    slopes = {name: fitted(Model("", (name,)), seen)[name] for name in varying}
    design = np.column_stack([columns[name] for name in varying])
    shares = _shares(_moments(design, seen.rate)[None], _singly(varying))[0]
    by_chance = chances(design, seen)
    drawn = _drawn_shares(design, seen)
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    mean = float(seen.rate.mean())
    found = []
    for place, name in enumerate(varying):
        reach = float(np.ptp(columns[name])) / mean
        bounds = tuple(bound * reach for bound in slopes[name].interval)
        found.append(
            Share(
                name,
                float(shares[place]),
                (float(low[place]), float(high[place])),
                slopes[name],
                slopes[name].value * reach,
                (bounds[0], bounds[1]),
                float(by_chance[place]),
            )
        )
    ranked = sorted(found, key=lambda one: -one.share)
    sure = [one for one in ranked if one.p < _SURE]
    strongest = sure[0] if sure else None
    tied = False
    if strongest is not None and len(ranked) > 1:
        other = next(one for one in ranked if one is not strongest)
        gaps = drawn[:, varying.index(strongest.name)] - drawn[:, varying.index(other.name)]
        tied = bool(np.quantile(gaps, 0.025) <= 0)
    return Importance(
        tuple(ranked),
        strongest,
        tied,
        max(max(abs(bound) for bound in one.swing_interval) for one in ranked),
    )


def block_shares(blocks: Mapping[str, Array], y: Array) -> dict[str, float]:
    """Shares of the variance of `y`, shape (n,), for blocks of columns of shape (n, any)."""
    widths = [block.shape[1] for block in blocks.values()]
    ends = np.cumsum(widths)
    places = [list(range(end - width, end)) for width, end in zip(widths, ends, strict=True)]
    shares = _shares(_moments(np.column_stack(list(blocks.values())), y)[None], places)[0]
    return {name: float(share) for name, share in zip(blocks, shares, strict=True)}


def chances(columns: Array, seen: Observations) -> Array:
    """For each column, how often chance alone shows a correlation with throughput as large as its own in any column.

    The means of the cells are dealt out among the cells anew, many times; where nothing matters, every deal is as likely as
    what was measured. So the test is exact, whatever the noise, and asking of several predictors costs nothing extra.

    Args:
        columns: Shape (n, p); constant within a cell.

    Returns:
        Shape (p,).
    """
    cells = np.unique(seen.cell)
    rows = [np.flatnonzero(seen.cell == cell) for cell in cells]
    means = _standard(np.array([seen.rate[place].mean() for place in rows])[:, None])[:, 0]
    levels = _standard(np.array([columns[place[0]] for place in rows]))
    observed = np.abs(means @ levels)
    random = np.random.default_rng(_SEED)
    dealt = np.array([random.permutation(means) for _ in range(_DEALS)])
    largest = np.abs(dealt @ levels).max(axis=1)
    return np.asarray((1 + (largest[:, None] >= observed * (1 - 1e-9)).sum(axis=0)) / (1 + _DEALS))


def _standard(columns: Array) -> Array:
    centred = columns - columns.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    return np.asarray(centred / np.where(lengths > 0, lengths, 1.0))


def _moments(design: Array, y: Array) -> Array:
    """Sums of products of ones, the columns and y, shape (p + 2, p + 2): all that shares follow from."""
    joined = np.column_stack([np.ones(len(y)), design, y])
    return np.asarray(joined.T @ joined)


def _shares(moments: Array, blocks: Sequence[Sequence[int]]) -> Array:
    """The R2 that each block of columns adds, averaged over all orders of entering.

    Args:
        moments: Shape (draws, p + 2, p + 2).
        blocks: Places of the columns, 0 to p - 1.

    Returns:
        Shape (draws, blocks).
    """
    means = moments[:, 0, 1:] / moments[:, :1, 0]
    centred = moments[:, 1:, 1:] - moments[:, :1, :1] * means[:, :, None] * means[:, None, :]
    lengths = np.sqrt(np.maximum(np.diagonal(centred, axis1=1, axis2=2), 0))
    safe = np.where(lengths > 1e-12 * lengths.max(), lengths, np.inf)
    alike = centred / (safe[:, :, None] * safe[:, None, :])
    gram, moment = alike[:, :-1, :-1], alike[:, :-1, -1]
    count = len(blocks)

    def explained(chosen: tuple[int, ...]) -> Array:
        if not chosen:
            return np.zeros(len(moments))
        part = [place for block in chosen for place in blocks[block]]
        inverse = np.linalg.pinv(gram[:, part][:, :, part], rcond=1e-10, hermitian=True)
        return np.asarray(np.einsum("di,dij,dj->d", moment[:, part], inverse, moment[:, part]))

    worths = {
        subset: explained(subset) for size in range(count + 1) for subset in itertools.combinations(range(count), size)
    }
    values = np.zeros((len(moments), count))
    for member in range(count):
        for subset, before in worths.items():
            if member not in subset:
                weight = math.factorial(len(subset)) * math.factorial(count - len(subset) - 1) / math.factorial(count)
                values[:, member] += weight * (worths[tuple(sorted((*subset, member)))] - before)
    return values


def _drawn_shares(design: Array, seen: Observations) -> Array:
    """Shares with cells drawn anew, with replacement; shape (draws, p)."""
    cells = np.unique(seen.cell)
    by_cell = np.stack([_moments(design[seen.cell == cell], seen.rate[seen.cell == cell]) for cell in cells])
    drawn = np.random.default_rng(_SEED).multinomial(len(cells), np.full(len(cells), 1 / len(cells)), _DRAWS)
    return _shares(np.einsum("dc,cij->dij", drawn, by_cell), _singly(design.T))


def _singly(columns: Sequence[object] | Array) -> list[list[int]]:
    return [[place] for place in range(len(columns))]
