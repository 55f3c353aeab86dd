"""The seam between a search and its strategies.

A search knows K candidate shapes and pays for trial runs, one at a time. Inside, everything is a vector over the candidates
and the thing to be made small is `score`: the natural logarithm of the cost in USD, or of the run time in seconds. In
logarithms a factor is a sum, noise is additive, and cost and time of one shape differ by a known constant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from shardmill.errors import UsageError
from shardmill.search.shapes import Shape, ShapeTable

Objective = Literal["cost", "time"]
Outcome = Literal["ok", "failed", "timeout", "cut"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One paid run."""

    shape: int
    """Index among the candidates."""
    outcome: Outcome
    """`timeout`: stopped at a time limit of the job; `cut`: stopped by the search because it could no longer win."""
    runtime_s: float | None
    """Of a run that ended well; else how long it was watched, or None where nobody knows."""
    fraction: float = 1.0
    """Share of the data that was read."""


@dataclass(frozen=True)
class Problem:
    """What is to be chosen, and what counts as good."""

    shapes: tuple[Shape, ...]
    objective: Objective = "cost"
    deadline_s: float | None = None
    """A shape whose run takes longer is no answer."""
    max_run_usd: float | None = None
    """A shape whose run costs more is no answer."""
    margin: float = 0.0
    """By how much a run should stay below a limit, as a share: the next run of the same shape may take longer."""
    fractions: tuple[float, ...] = (1.0,)
    """Shares of the data that can be run; only 1 where, as in a trace, just whole runs are at hand."""

    def __post_init__(self) -> None:
        if not self.shapes:
            raise UsageError("there are no shapes to choose from; name at least one.")
        if len(set(self.shapes)) < len(self.shapes):
            raise UsageError("a shape stands twice among the candidates; name each once.")

    @cached_property
    def table(self) -> ShapeTable:
        return ShapeTable(self.shapes)

    @cached_property
    def log_rate(self) -> NDArray[np.float64]:
        """Natural logarithm of USD a second, shape (k,)."""
        return np.log(self.table.usd_per_s)

    @cached_property
    def time_offset(self) -> NDArray[np.float64]:
        """What is added to a score to get the log of the run time, shape (k,)."""
        return -self.log_rate if self.objective == "cost" else np.zeros(len(self.shapes))

    @cached_property
    def limits(self) -> NDArray[np.float64]:
        """The highest score with which each shape is an answer, the margin kept, shape (k,); infinite without limits."""
        return self.hard_limits + math.log1p(-self.margin)

    @cached_property
    def hard_limits(self) -> NDArray[np.float64]:
        """The same without the margin."""
        limits = np.full(len(self.shapes), math.inf)
        if self.deadline_s is not None:
            limits = np.minimum(limits, math.log(self.deadline_s) - self.time_offset)
        if self.max_run_usd is not None:
            limits = np.minimum(limits, math.log(self.max_run_usd) - self.time_offset - self.log_rate)
        return limits

    def score(self, trial: Trial) -> float:
        """Of a run with a known run time."""
        assert trial.runtime_s is not None
        return math.log(trial.runtime_s) - float(self.time_offset[trial.shape])

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """The best run that ended well and keeps the limits: with the margin, or where none does, without."""
        whole = [trial for trial in trials if trial.outcome == "ok" and trial.fraction == 1.0]
        safe = [trial for trial in whole if self.is_safe(trial)]
        just = [trial for trial in whole if self.score(trial) <= self.hard_limits[trial.shape] + 1e-12]
        return min(safe or just, key=self.score, default=None)

    def is_safe(self, trial: Trial) -> bool:
        """Whether a run that ended well keeps the limits with the margin."""
        return self.score(trial) <= float(self.limits[trial.shape]) + 1e-12

    def untried(self, trials: Sequence[Trial]) -> list[int]:
        """Indices of the shapes without a trial of the whole job, ascending."""
        tried = {trial.shape for trial in trials if trial.fraction == 1.0}
        return [index for index in range(len(self.shapes)) if index not in tried]


@dataclass(frozen=True)
class Belief:
    """What a strategy holds of each candidate after the trials so far; arrays of shape (k,)."""

    median: NDArray[np.float64]
    """Of the score of a run."""
    low: NDArray[np.float64]
    """5th percentile."""
    high: NDArray[np.float64]
    """95th percentile."""
    success: NDArray[np.float64]
    """Probability that a run ends well and keeps the limits."""


@dataclass(frozen=True)
class Proposal:
    """What to do next."""

    shape: int | None
    """The shape to try, also when `stop` is set; None when none is left."""
    reason: str
    """Why this one, as a clause for people: "the model expects it to be cheapest"."""
    stop: bool = False
    """Whether the strategy would end here by its own rule."""
    belief: Belief | None = None
    fraction: float = 1.0
    """Share of the data to run, one of `Problem.fractions`."""
    confidence: float | None = None
    """Probability that no shape beats the best so far by more than the tolerance; without a best, that none is an answer."""


class Strategy(Protocol):
    """Proposes the next shape of one problem.

    Made by a `StrategyFactory` for one problem and seed. A proposal depends on these and on the trials alone, never on
    earlier calls, so that a search that was killed goes on as if it had not been. `trials` holds each shape at most
    once with each share of the data. What is proposed is untried, and there is something as long as any shape is.
    """

    def propose(self, trials: Sequence[Trial]) -> Proposal: ...


@dataclass(frozen=True, slots=True)
class Goal:
    """When a search may end: within `tolerance` of the best with probability `probability`."""

    tolerance: float = 0.10
    probability: float = 0.90


DEFAULT_GOAL: Final = Goal()
MARGIN: Final = 0.03
"""Of `Problem.margin`: about what one run differs from the next on the traces with repeats."""


class StrategyFactory(Protocol):
    """Makes a strategy; the class itself in most cases."""

    def __call__(self, problem: Problem, seed: int, goal: Goal) -> Strategy: ...
