"""The default strategy, `shardmill`: random physical surfaces weighted by Bayes, with a Gaussian process for their errors.

    score of a shape = a surface of `surfaces.py` + a constant + a smooth error (Gaussian process) + noise of one run

Each pair of surface and kernel is a hypothesis; its weight is the probability of the scores seen under it, times that of the
failures seen. Everything the search says is an average over the weighted hypotheses.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shardmill.search.base import Belief, Goal, Problem, Proposal, Trial
from shardmill.search.gaussian import Floats, Posterior, condition, expected_improvement, matern52, normal_cdf
from shardmill.search.history import explains
from shardmill.search.settings import SHIPPED, Prior, Settings
from shardmill.search.shapes import Shape, ShapeTable, family_distance
from shardmill.search.surfaces import Surfaces, draw_surfaces


class PhysicalStrategy:
    """Expected improvement times probability of success under the weighted hypotheses."""

    def __init__(
        self,
        problem: Problem,
        seed: int,
        goal: Goal,
        settings: Settings = SHIPPED,
        history: Sequence[Sequence[Trial]] = (),
    ) -> None:
        self.problem, self.goal, self.settings, self.seed = problem, goal, settings, seed
        pool = _pool(problem.shapes, settings.prior)
        chosen = np.random.default_rng([seed, 1]).choice(
            len(pool.log_time), min(settings.prior.surfaces, len(pool.log_time)), replace=False
        )
        log_cores = np.log(problem.table.nodes * problem.table.node_cores)
        self._death = np.vstack([pool.death[chosen], np.zeros(len(log_cores))])
        self._surfaces = np.vstack([pool.log_time[chosen], np.mean(log_cores) - log_cores]) - problem.time_offset
        self._covariance, self._noise = _bank(problem.shapes, settings)
        self._log_prior = self._prior(history)

    def _prior(self, history: Sequence[Sequence[Trial]]) -> Floats:
        """Log prior weight of each surface, up to a constant."""
        count, plain = len(self._surfaces), self.settings.plain_share
        weights = np.append(np.full(count - 1, (1.0 - plain) / (count - 1)), plain)
        known = explains(self.problem, self._surfaces, self._covariance, self._noise, history, self.settings)
        if known is not None:
            weights = (1.0 - self.settings.history_share) * weights + self.settings.history_share * known
        log_prior: Floats = np.log(np.maximum(weights, _NOTHING) * count)
        return log_prior

    def propose(self, trials: Sequence[Trial]) -> Proposal:
        untried = self.problem.untried(trials)
        view = self.view(trials)
        best = self.problem.best(trials)
        safe = best if best is None or self.problem.is_safe(best) else None
        confidence = view.confidence(best, untried, self.problem, self.goal, self.settings.doubt)
        needed = self.goal.probability if safe is not None else 1.0 - (1.0 - self.goal.probability) / HOPE
        stop = bool(trials) and confidence >= needed
        belief = None if view.blind else view.belief
        if not untried:
            return Proposal(None, "every shape has been tried", True, belief, confidence=1.0)
        gain = view.gain(safe, self.problem, self.settings.caution)
        index = max(untried, key=lambda shape: gain[shape])
        return Proposal(index, self._reason(index, gain, view, best, len(trials)), stop, belief, confidence=confidence)

    def _reason(self, index: int, gain: Floats, view: View, best: Trial | None, runs: int) -> str:
        if runs == 0:
            return "a safe middle: likely to end well and to tell much about the others"
        if best is None:
            return "nothing has kept the limits yet, and this one is likeliest to"
        gap = self.problem.score(best) - view.mean[:, index]
        better = float(np.mean(normal_cdf(gap / view.deviation[:, index]) * view.success[:, index]))
        if better > 0.5:
            return f"expected to be better than the best so far ({better:.0%} likely)"
        if better > 0.15:
            return f"a fair chance ({better:.0%}) of being better than the best so far"
        return f"a small chance ({better:.0%}) of being better, but no other shape promises more"

    def view(self, trials: Sequence[Trial]) -> View:
        """The weighted hypotheses after `trials`."""
        settings, problem = self.settings, self.problem
        rng = np.random.default_rng([self.seed, 2, len(trials)])
        ended = [trial for trial in trials if trial.outcome == "ok" and trial.fraction == 1.0]
        cut = [trial for trial in trials if trial.outcome == "cut" and trial.runtime_s is not None]
        seen = np.array([trial.shape for trial in (*ended, *cut)], dtype=np.intp)
        scores = np.array([problem.score(trial) for trial in (*ended, *cut)])
        vague = np.zeros(len(seen))
        if cut and ended:  # a run that was cut says "worse than this": how much worse, the others tell
            expected = self.view(ended).mean[:, seen[len(ended) :]].mean(axis=0)
            scores[len(ended) :] = np.maximum(scores[len(ended) :] + CUT_MARGIN, expected)
            vague[len(ended) :] = CUT_MARGIN**2
        residuals = scores[None, :] - self._surfaces[:, seen]
        posterior = condition(self._covariance, self._noise, seen, residuals, vague)
        log_weight = settings.tempering * posterior.log_likelihood + self._log_prior[:, None]
        broken = np.array([trial.shape for trial in trials if trial.outcome in ("failed", "timeout")], dtype=np.intp)
        smooth = _failure_rate(problem, settings, seen, broken)
        if len(broken) or len(seen):
            log_weight = log_weight + self._outcome_likelihood(seen, broken)[:, None]
        weight = np.exp(log_weight - log_weight.max()).ravel()
        cumulated = np.cumsum(weight)
        points = (rng.random() + np.arange(settings.hypotheses)) / settings.hypotheses * cumulated[-1]
        pairs = np.minimum(np.searchsorted(cumulated, points), len(weight) - 1)
        surface, kernel = np.divmod(pairs, len(self._noise))
        mean = self._surfaces[surface] + posterior.mean_shift(residuals[surface], kernel)
        variance = np.diagonal(posterior.covariance, axis1=1, axis2=2)[kernel]
        if not len(seen):
            mean, variance = mean - mean.mean(axis=1, keepdims=True), variance - CONSTANT_VARIANCE
        success = (1.0 - smooth)[None, :] * (1.0 - self._death[surface])
        return View(
            mean, np.sqrt(np.maximum(variance, 1e-10)), success, kernel, posterior, self._noise, rng, len(seen) == 0
        )

    def _outcome_likelihood(self, ended: NDArray[np.intp], broken: NDArray[np.intp]) -> Floats:
        """Log probability of which runs ended well and which did not, under each surface; shape (M,)."""
        rate = self.settings.failure_rate
        dead = np.log(rate + (1.0 - rate) * self._death[:, broken]).sum(axis=1)
        alive = np.log(np.maximum(1.0 - self._death[:, ended], 1e-3)).sum(axis=1)
        both: Floats = dead + alive
        return both


CONSTANT_VARIANCE: Final = 25.0
"""Of the unknown level of the scores: anything from a cent to thousands of dollars."""
_NOTHING: Final = 1e-300
JITTER: Final = 1e-8
"""Variance that rounding may have left below 0."""
BETWEEN_RUNS: Final = 0.04
"""Standard deviation in log score by which the next run of a shape is said to differ. Most differ by less, some by far more: nine
in ten are within 7 % on the C3O runs, the only trace at hand that has repeats."""
HOPE: Final = 10.0
"""A search that has found nothing that safely keeps the limits ends once the chance of finding it is this much smaller than
the one of missing something better that is allowed otherwise: no answer is worse than one that could be better."""
NEAR: Final = 0.1
"""Log score within which a shape is as good as the best, while nothing has kept the limits."""
CUT_MARGIN: Final = 0.15
"""How far beyond the limit, in log score, a run is taken to be that was cut off there."""


@dataclass(frozen=True)
class View:
    """m weighted hypotheses."""

    mean: Floats
    deviation: Floats
    success: Floats
    kernel: NDArray[np.intp]
    posterior: Posterior
    noise: Floats
    rng: np.random.Generator
    blind: bool

    @cached_property
    def belief(self) -> Belief:
        of_a_run = np.sqrt(self.deviation**2 + max(float(self.noise.max()), BETWEEN_RUNS**2))
        spread = np.random.default_rng(0).standard_normal(self.mean.shape) * of_a_run + self.mean
        low, median, high = np.quantile(spread, (0.05, 0.5, 0.95), axis=0)
        return Belief(median, low, high, self.success.mean(axis=0))

    def gain(self, best: Trial | None, problem: Problem, caution: float) -> Floats:
        """Expected improvement on the best so far, by a run that succeeds; shape (K,)."""
        expected: Floats
        if (
            best is None and self.blind
        ):  # no level is known yet: the best shape's score over this one's, 0 for a failure
            regret = self.mean - self.mean.min(axis=1, keepdims=True)
            expected = np.mean(self.success * np.exp(-caution * regret), axis=0)
        elif best is None:
            regret = self.mean - self.mean.min(axis=1, keepdims=True)
            within = normal_cdf((problem.limits - self.mean) / self.deviation)
            expected = np.mean(np.exp(-regret / NEAR) * self.success * within, axis=0)
        else:
            score = problem.score(best)
            threshold = np.minimum(score, problem.limits)
            gap = score - threshold  # what meeting the limit of a shape at all is worth beyond that
            reach = normal_cdf((threshold - self.mean) / self.deviation)
            improvement = expected_improvement(self.mean, self.deviation, threshold)
            expected = np.mean(self.success * (improvement + reach * gap), axis=0)
        return expected

    def draws(self) -> Floats:
        """One joint draw of the noise-free scores of all candidates under each hypothesis; shape (m, K)."""
        drawn = self.mean.copy()
        for kernel in np.unique(self.kernel):
            rows = np.flatnonzero(self.kernel == kernel)
            covariance = self.posterior.covariance[kernel]
            root = np.linalg.cholesky(covariance + JITTER * np.eye(len(covariance)))
            drawn[rows] += self.rng.standard_normal((len(rows), len(root))) @ root.T
        return drawn

    def confidence(
        self, best: Trial | None, untried: Sequence[int], problem: Problem, goal: Goal, doubt: float = 1.0
    ) -> float:
        """Probability that no untried shape beats the best by more than the tolerance; without a best, that none works."""
        if not untried:
            return 1.0
        drawn = self.draws()[:, untried]
        works = self.rng.random(drawn.shape) < self.success[:, untried]
        bar = problem.hard_limits[untried]
        if best is not None:
            bar = problem.limits[untried]
            if problem.is_safe(best):  # else every shape that keeps the margin is better
                bar = np.minimum(problem.score(best) - np.log1p(goal.tolerance), bar)
        return max(0.0, 1.0 - doubt * float(np.mean((works & (drawn < bar)).any(axis=1))))


def _failure_rate(problem: Problem, settings: Settings, seen: NDArray[np.intp], broken: NDArray[np.intp]) -> Floats:
    """Failures that no hypothesis explains, smoothed over neighbours; shape (K,)."""
    near = _nearness(problem.shapes)
    prior_runs = 1.0
    failed = near[:, broken].sum(axis=1)
    tried = failed + near[:, seen].sum(axis=1)
    rate: Floats = (settings.failure_rate * prior_runs + failed) / (prior_runs + tried)
    return rate


@lru_cache(maxsize=8)
def _nearness(shapes: tuple[Shape, ...]) -> Floats:
    return np.exp(-0.5 * _squared_distance(ShapeTable(shapes)) / 0.5**2)


def _squared_distance(table: ShapeTable) -> Floats:
    """In doublings of total cores, cores a node and memory a core; a change of family counts as one."""
    columns = [np.log2(table.nodes * table.node_cores), np.log2(table.node_cores)]
    columns.append(np.log2(table.node_memory_gb / table.node_cores))
    columns += list(table.extras.T)
    points = np.column_stack(columns)
    gaps: Floats = ((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)
    return gaps + family_distance(table)


@lru_cache(maxsize=8)
def _bank(shapes: tuple[Shape, ...], settings: Settings) -> tuple[Floats, Floats]:
    squared = _squared_distance(ShapeTable(shapes))
    covariances, noises = [], []
    for length in settings.length_scales:
        base = matern52(squared / length**2)
        for amplitude, ragged, noise in itertools.product(settings.amplitudes, settings.raggedness, settings.noises):
            covariances.append(amplitude**2 * base + ragged**2 * np.eye(len(base)) + CONSTANT_VARIANCE)
            noises.append(noise**2)
    return np.array(covariances), np.array(noises)


@lru_cache(maxsize=8)
def _pool(shapes: tuple[Shape, ...], prior: Prior) -> Surfaces:
    return draw_surfaces(ShapeTable(shapes), replace(prior, surfaces=5 * prior.surfaces), np.random.default_rng(0))
