"""The strategy `cherrypick`: Bayesian optimisation as the paper of that name describes it.

Source: Alipourfard et al., "CherryPick: Adaptively Unearthing the Best Cloud Configurations for Big Data Analytics", NSDI
2017. As there: a Gaussian process with a Matern 5/2 kernel on the logarithm of the cost, expected improvement times the
probability of meeting the deadline (the run time follows from the cost and the price), three spread starts, an end when the
expected improvement falls below 10 % after at least six runs, cluster size, cores and memory scaled to one range. Different:

- The size of a cluster enters as its total cores, as in the authors' released code; the paper's text has the number of VMs.
- The speed of a core is not in a trace: families whose name begins with c count as fast, all others as slow.
- Hyper-parameters are averaged by their likelihood over a fixed sample of 64, in place of slice sampling.
- The acquisition is computed at every candidate exactly, in place of a grid of Sobol points.
- A run that failed counts as costing half as much again as the dearest run seen; the paper does not say.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shardmill.search.base import Belief, Goal, Problem, Proposal, Trial
from shardmill.search.gaussian import Floats, condition, expected_improvement, matern52, normal_cdf
from shardmill.search.shapes import Shape, ShapeTable

STARTS: Final = 3
LEAST_RUNS: Final = 6
STOP_BELOW: Final = 0.10
_SAMPLES: Final = 64
_Z95: Final = 1.6449


class CherryPickStrategy:
    """The searcher of the paper; `Goal` does not concern it, since its stop rule is its own."""

    def __init__(self, problem: Problem, seed: int, goal: Goal) -> None:
        self._problem = problem
        points = encode(problem.shapes)
        self._starts = spread_starts(points, STARTS, np.random.default_rng([seed, 19]))
        self._bank = _kernels(problem.shapes)

    def propose(self, trials: Sequence[Trial]) -> Proposal:
        problem = self._problem
        untried = problem.untried(trials)
        if not untried:
            return Proposal(None, "every shape has been tried", stop=True)
        if len(trials) < STARTS:
            index = next(start for start in self._starts if start in set(untried))
            return Proposal(index, "one of three starts spread over the shapes")
        ended = [problem.score(trial) for trial in trials if trial.outcome == "ok"]
        if not ended:
            return Proposal(untried[len(untried) // 2], "nothing has ended well yet")
        worst = max(ended) + np.log(1.5)
        seen = np.array([trial.shape for trial in trials], dtype=np.intp)
        scores = np.array([problem.score(trial) if trial.outcome == "ok" else worst for trial in trials])
        centre, spread = float(scores.mean()), max(float(scores.std()), 0.05)
        covariance, noise = self._bank
        posterior = condition(covariance, noise, seen, (scores[None, :] - centre) / spread)
        weight = np.exp(posterior.log_likelihood[0] - posterior.log_likelihood[0].max())
        weight /= weight.sum()
        mean = centre + spread * (posterior.weights @ ((scores - centre) / spread))
        deviation = spread * np.sqrt(np.maximum(np.diagonal(posterior.covariance, axis1=1, axis2=2), 1e-10))
        best = problem.best(trials)
        within = weight @ normal_cdf((problem.limits - mean) / deviation)
        if best is None:
            gain = within
        else:
            gain = within * (weight @ expected_improvement(mean, deviation, problem.score(best)))
        index = max(untried, key=lambda shape: gain[shape])
        stop = best is not None and len(trials) >= LEAST_RUNS and bool(gain[index] < STOP_BELOW)
        average = weight @ mean
        total = np.sqrt(weight @ (deviation**2 + (mean - average) ** 2))
        belief = Belief(average, average - _Z95 * total, average + _Z95 * total, within)
        return Proposal(index, "the largest expected improvement", stop=stop, belief=belief)


def encode(shapes: tuple[Shape, ...]) -> Floats:
    """Total cores, cores a node, memory a core, fast or slow cores, and further properties; each in [0, 1]; shape (k, d)."""
    table = ShapeTable(shapes)
    fast = np.array([float(shape.family.startswith("c")) for shape in shapes])
    columns = [table.nodes * table.node_cores, table.node_cores, table.node_memory_gb / table.node_cores, fast]
    points = np.column_stack([*columns, *table.extras.T])
    span = points.max(axis=0) - points.min(axis=0)
    scaled: Floats = (points - points.min(axis=0)) / np.where(span > 0, span, 1.0)
    return scaled


def spread_starts(points: Floats, count: int, rng: np.random.Generator) -> list[int]:
    """Candidates next to a randomly shifted Halton sequence; as many as are needed for `count` distinct ones."""
    shift = rng.random(points.shape[1])
    starts: list[int] = []
    for step in range(1, 100 * count):
        target = (np.array([_halton(step, base) for base in _PRIMES[: points.shape[1]]]) + shift) % 1.0
        nearest = int(np.argmin(((points - target) ** 2).sum(axis=1)))
        if nearest not in starts:
            starts.append(nearest)
        if len(starts) == min(count, len(points)):
            break
    return starts + [index for index in range(len(points)) if index not in starts][: max(0, count - len(starts))]


_PRIMES: Final = (2, 3, 5, 7, 11, 13, 17, 19)


def _halton(step: int, base: int) -> float:
    value, part = 0.0, 1.0
    while step:
        part /= base
        step, digit = divmod(step, base)
        value += part * digit
    return value


@lru_cache(maxsize=8)
def _kernels(shapes: tuple[Shape, ...]) -> tuple[Floats, NDArray[np.float64]]:
    """64 Matern kernels with a length scale for each input in (0.1, 2), amplitudes and noises; over standardised scores."""
    points = encode(shapes)
    rng = np.random.default_rng(23)
    lengths = np.exp(rng.uniform(np.log(0.1), np.log(2.0), (_SAMPLES, points.shape[1])))
    amplitude = np.exp(rng.uniform(np.log(0.5), np.log(2.0), _SAMPLES))
    noise = np.exp(rng.uniform(np.log(0.02), np.log(0.2), _SAMPLES)) ** 2
    gaps = (points[:, None, :] - points[None, :, :]) ** 2
    squared = np.einsum("ijd,hd->hij", gaps, 1.0 / lengths**2)
    return amplitude[:, None, None] ** 2 * matern52(squared), noise
