"""Weighted least squares with intervals that hold for few cells, unequal noise, and a form that is not quite right.

    symbol   shape        meaning
    X        (n, p)       design: a column for each term
    y        (n,)         what was measured
    w        (n,)         weights
    phi      (n,)         working variance of a row's noise, times w: what is supposed; the intervals hold if it is wrong, too
    cell     (n,)         number of the cell of each row: repetitions of the same combination share it
    M        (p, p)       (X' W X)^-1
    V        (p, p)       covariance of the coefficients

Rows of one cell err together: they share whatever the form of the model gets wrong there, so five repetitions are not five
witnesses. V is therefore cluster-robust over cells, with the bias-reducing correction "CR2", and each interval has degrees of
freedom of its own, by Satterthwaite's approximation, both for the working variance. With cells of one row and an even working
variance that is "HC2" with Bell and McCaffrey's degrees.

Source: Bell and McCaffrey, "Bias reduction in standard errors for linear regression with multi-stage samples", Survey
Methodology 28 (2002); Imbens and Kolesar, "Robust standard errors in small samples", Review of Economics and Statistics 98
(2016); Pustejovsky and Tipton, "Small-sample methods for cluster-robust variance estimation", Journal of Business & Economic
Statistics 36 (2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shardmill.model.distributions import t_quantile, t_tail

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

CONFIDENCE: Final = 0.95
_DEPENDENT: Final = 1e-9
"""Share of a column that must be new for its coefficient to be identifiable."""
_LEAST: Final = 0.1
"""Of the median: no row's noise is taken to be smaller than that of so small a value."""


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One number of a model."""

    name: str
    unit: str
    value: float
    error: float
    """Standard error; nan where the rows leave nothing to judge it by."""
    dof: float
    """Degrees of freedom of its interval."""

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval; without bounds where the rows leave nothing to judge it by."""
        if not self.error >= 0 or not self.dof > 0:
            return -math.inf, math.inf
        half = t_quantile(CONFIDENCE, self.dof) * self.error
        return self.value - half, self.value + half

    @property
    def p(self) -> float:
        """Probability of a value this far from zero if the true one were zero; nan where nothing can be said."""
        if not self.error >= 0 or not self.dof > 0:
            return math.nan
        if self.error == 0:
            return 0.0 if self.value else 1.0
        return t_tail(self.value / self.error, self.dof)

    @property
    def sure(self) -> bool:
        """Its interval leaves out zero."""
        low, high = self.interval
        return low > 0 or high < 0


@dataclass(frozen=True, slots=True)
class Term:
    """One column of a design."""

    name: str
    unit: str
    """Of its coefficient."""
    column: Array
    """Shape (n,)."""


@dataclass(frozen=True, slots=True)
class Unidentifiable:
    """A term that the rows cannot tell from others."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model."""

    coefficients: tuple[Coefficient, ...]
    """Of the terms that are identifiable, in their order."""
    unidentifiable: tuple[Unidentifiable, ...]
    fitted: Array
    """Shape (n,), in the unit of y."""
    weights: Array
    covariance: Array
    """V, shape (p, p)."""
    by_cell: bool
    """Intervals are robust over cells; else over rows, since there are too few cells to judge the form of the model."""
    _judge: _Judge = field(repr=False)

    def __getitem__(self, name: str) -> Coefficient:
        return next(one for one in self.coefficients if one.name == name)

    def __contains__(self, name: str) -> bool:
        return any(one.name == name for one in self.coefficients)

    @property
    def values(self) -> Array:
        return np.array([one.value for one in self.coefficients])

    def combination(self, factors: Array, name: str = "", unit: str = "") -> Coefficient:
        """The sum of the coefficients times `factors` (shape (p,)), such as a prediction, with its error."""
        error, dof = self._judge.of(factors)
        return Coefficient(name, unit, float(factors @ self.values), error, dof)


@dataclass(frozen=True, slots=True)
class _Judge:
    """What the error of any combination of coefficients follows from; columns scaled to length 1."""

    scale: Array
    bread: Array
    """M of the scaled and weighted design."""
    projections: Array
    """X_g' A_g X_g for each cluster g, shape (clusters, p, p)."""
    spreads: Array
    """X_g' phi_g A_g X_g for each cluster g, shape (clusters, p, p)."""
    squares: Array
    """X_g' A_g phi_g A_g X_g for each cluster g, shape (clusters, p, p)."""
    middle: Array
    """M X' phi X M."""
    meat: Array

    def of(self, factors: Array) -> tuple[float, float]:
        """Standard error and degrees of freedom of the combination `factors`, shape (p,)."""
        direction = self.bread @ (factors / self.scale)
        variance = float(direction @ self.meat @ direction)
        mapped, spread = self.projections @ direction, self.spreads @ direction  # (clusters, p)
        crossed = mapped @ self.bread @ spread.T
        gram = mapped @ self.middle @ mapped.T - crossed - crossed.T
        gram[np.diag_indices_from(gram)] += np.einsum("i,gij,j->g", direction, self.squares, direction)
        squared = float((gram**2).sum())
        if not squared > 0 or variance < 0:
            return math.nan, 0.0
        return math.sqrt(variance), float(np.trace(gram)) ** 2 / squared


def fit(
    terms: Sequence[Term], y: Array, cell: Numbers, weights: Array | None = None, *, proportional: bool = False
) -> Fit:
    """Fit y to the sum of the terms' columns times their coefficients.

    Args:
        terms: In the order in which they are kept: of terms that cannot be told apart, the later ones are given up.
        y: Shape (n,).
        cell: Shape (n,): rows with the same number are repetitions of each other.
        weights: Shape (n,), positive; equal by default. The working variance of a row is 1 / weight.
        proportional: The working variance is the square of the fitted value instead: y is positive, and its noise grows
            with it.

    Returns:
        The fit; its coefficients have no bounds where n is not above their number.
    """
    count = len(y)
    weights = np.ones(count) if weights is None else weights
    kept, given_up = identifiable(terms)
    solved = solve(kept, y, weights)
    scale, fitted = solved.scale, solved.fitted
    root = np.sqrt(weights)
    scaled = np.column_stack([term.column for term in kept]) * root[:, None] / scale
    inverse = np.linalg.inv(solved.r)
    bread = inverse @ inverse.T
    cells = len(np.unique(cell))
    by_cell = cells >= len(kept) + 2
    clusters = np.unique(cell, return_inverse=True)[1] if by_cell else np.arange(count)
    working = np.ones(count)
    if proportional:
        working = np.maximum(fitted, _LEAST * np.median(y)) ** 2 * weights
        working /= working.mean()
    judge = _judged(scaled, (y - fitted) * root, bread, clusters, scale, working)
    coefficients = []
    for place, term in enumerate(kept):
        error, dof = judge.of(np.eye(len(kept))[place]) if count > len(kept) else (math.nan, 0.0)
        coefficients.append(Coefficient(term.name, term.unit, float(solved.values[place]), error, dof))
    covariance = bread @ judge.meat @ bread / np.outer(scale, scale)
    return Fit(tuple(coefficients), given_up, fitted, weights, covariance, by_cell, judge)


@dataclass(frozen=True, slots=True)
class Solution:
    """Coefficients without their errors."""

    values: Array
    """Shape (p,)."""
    fitted: Array
    """Shape (n,)."""
    scale: Array
    """Lengths of the weighted columns."""
    r: Array
    """Of the QR decomposition of the weighted columns at length 1."""


def solve(kept: Sequence[Term], y: Array, weights: Array) -> Solution:
    """Weighted least squares for terms that are identifiable, of which there is at least one."""
    root = np.sqrt(weights)
    design = np.column_stack([term.column for term in kept])
    scaled = design * root[:, None]
    scale = np.linalg.norm(scaled, axis=0)
    q, r = np.linalg.qr(scaled / scale)
    values = np.linalg.solve(r, q.T @ (y * root)) / scale
    return Solution(values, design @ values, scale, r)


def identifiable(terms: Sequence[Term]) -> tuple[list[Term], tuple[Unidentifiable, ...]]:
    """The terms whose columns are independent of those before them, and why the others are not."""
    kept: list[Term] = []
    given_up: list[Unidentifiable] = []
    basis = np.zeros((len(terms[0].column) if terms else 0, 0))
    for term in terms:
        length = float(np.linalg.norm(term.column))
        unit = term.column / length if length else term.column
        rest = unit - basis @ (basis.T @ unit)
        rest = rest - basis @ (basis.T @ rest)  # twice is enough to be orthogonal to the last digit
        new = float(np.linalg.norm(rest))
        if new > _DEPENDENT:
            kept.append(term)
            basis = np.column_stack([basis, rest / new])
        else:
            given_up.append(Unidentifiable(term.name, _why(term, kept)))
    return kept, tuple(given_up)


def _why(term: Term, kept: Sequence[Term]) -> str:
    if not term.column.any():
        return "it is zero in every row"
    design = np.column_stack([one.column for one in kept])
    scale = np.linalg.norm(design, axis=0)
    shares = np.linalg.lstsq(design / scale, term.column, rcond=None)[0] / float(np.linalg.norm(term.column))
    names = [one.name for one, share in zip(kept, shares, strict=True) if abs(share) > 1e-6]
    return f"in these rows it is the same as {' and '.join(names)}; what is told of {names[0]} holds for both together"


def _judged(scaled: Array, residuals: Array, bread: Array, clusters: Numbers, scale: Array, working: Array) -> _Judge:
    """CR2: the residuals of each cluster are scaled by an A_g that makes V unbiased if the working variance is right."""
    width = scaled.shape[1]
    number = int(clusters.max()) + 1 if len(clusters) else 0
    shape = (number, width, width)
    projections, spreads, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    meat = np.zeros((width, width))
    middle = bread @ (scaled.T @ (scaled * working[:, None])) @ bread
    order = np.argsort(clusters, kind="stable")
    for group, rows in enumerate(np.split(order, np.searchsorted(clusters[order], np.arange(1, number)))):
        part, phi = scaled[rows], working[rows]
        hat = part @ bread @ part.T
        left = np.diag(phi) - hat * phi - phi[:, None] * hat + part @ middle @ part.T  # of the noise, in the residuals
        root = np.sqrt(phi)
        adjust = root[:, None] * _inverse_root(root[:, None] * left * root) * root
        score = part.T @ (adjust @ residuals[rows])
        meat += np.outer(score, score)
        adjusted = adjust @ part
        projections[group] = part.T @ adjusted
        spreads[group] = part.T @ (adjusted * phi[:, None])
        squares[group] = adjusted.T @ (adjusted * phi[:, None])
    return _Judge(scale, bread, projections, spreads, squares, middle, meat)


def _inverse_root(matrix: Array) -> Array:
    """The symmetric inverse square root; directions that the fit has used up entirely stay out."""
    values, vectors = np.linalg.eigh(matrix)
    safe = values > 1e-10
    powers = np.where(safe, 1 / np.sqrt(np.where(safe, values, 1.0)), 0.0)
    root: Array = (vectors * powers) @ vectors.T
    return root
