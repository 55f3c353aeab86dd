"""The search itself: ask the strategy, pay for the run, learn, until it is good enough or the money is spent.

Live and replayed searches differ only in the `TrialRunner`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from shardmill.search.base import Problem, Proposal, Strategy, Trial
from shardmill.search.shapes import Shape

Ending = Literal["sure", "tried", "budget", "runs", "hopeless", "none"]


class UnaffordableError(Exception):
    """What a run needs around it, such as making a cluster, costs more than is left."""


class TrialRunner(Protocol):
    """Runs the job on a shape and says how it went.

    A job that fails is a trial with the outcome `failed`, not an error; errors are for what keeps the search itself from
    going on (no network, no permission). What a run left behind, a cluster included, is gone when `run` returns or raises.
    """

    @property
    def shapes(self) -> tuple[Shape, ...]: ...

    def run(self, shape: int, fraction: float = 1.0, limit_s: float | None = None) -> Trial:
        """Run `fraction` of the job on `shape`; stop it after `limit_s` seconds, as outcome `cut`.

        Raises:
            UnaffordableError: nothing was begun, for the runner's own budget does not allow it.
        """
        ...

    def paid_usd(self, trial: Trial) -> float:
        """What `trial` cost."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """When a search ends whatever it believes."""

    budget_usd: float | None = None
    """For all trials together."""
    max_runs: int | None = None
    cut_off: float | None = None
    """A run is stopped once its objective is this many times the best so far; None lets every run end."""


@dataclass(frozen=True, slots=True)
class Paid:
    """One trial and its bill."""

    trial: Trial
    paid_usd: float


@dataclass(frozen=True, slots=True)
class Step:
    """Where the search stands after a trial; the first step has none."""

    trials: tuple[Paid, ...]
    proposal: Proposal
    """What is to come next; for the last step, what would have."""
    best: Trial | None
    spent_usd: float
    ending: Ending | None
    """Why this is the last step: `sure` by the strategy's own rule, `hopeless` by the same without any answer, `tried` for
    no shape left, `none` for that without any answer."""


def search(
    problem: Problem, strategy: Strategy, runner: TrialRunner, limits: Limits, done: Sequence[Paid] = ()
) -> Iterator[Step]:
    """Run trials, beginning after `done`, and yield after each.

    The budget is never passed: a run that is expected to cost more than what is left is not started, and one that is
    started is stopped when it has cost what is left.
    """
    trials = list(done)
    while True:
        past = [paid.trial for paid in trials]
        proposal = strategy.propose(past)
        spent = math.fsum(paid.paid_usd for paid in trials)
        best = problem.best(past)
        ending = _ending(problem, proposal, limits, len(trials), spent, best)
        yield Step(tuple(trials), proposal, best, spent, ending)
        if ending is not None:
            return
        assert proposal.shape is not None
        limit_s = _limit_s(problem, proposal.shape, limits, spent, best)
        try:
            trial = runner.run(proposal.shape, proposal.fraction, limit_s)
        except UnaffordableError:
            yield Step(tuple(trials), proposal, best, spent, "budget")
            return
        trials.append(Paid(trial, runner.paid_usd(trial)))


def ends(proposal: Proposal, best: Trial | None) -> bool:
    """Whether the strategy's own rule ends the search here; without an answer, only if it says how sure it is of that."""
    return proposal.stop and (best is not None or proposal.confidence is not None)


def expected_usd(problem: Problem, proposal: Proposal) -> float | None:
    """What the proposed run is expected to cost; None where the strategy has no opinion."""
    if proposal.belief is None or proposal.shape is None:
        return None
    log_seconds = float(proposal.belief.median[proposal.shape] + problem.time_offset[proposal.shape])
    return math.exp(log_seconds + float(problem.log_rate[proposal.shape])) * proposal.fraction


def _ending(
    problem: Problem, proposal: Proposal, limits: Limits, runs: int, spent: float, best: Trial | None
) -> Ending | None:
    if proposal.shape is None:
        return "tried" if best is not None else "none"
    if ends(proposal, best):
        return "sure" if best is not None else "hopeless"
    if limits.max_runs is not None and runs >= limits.max_runs:
        return "runs"
    if limits.budget_usd is not None:
        left = limits.budget_usd - spent
        if left <= 0 or (expected_usd(problem, proposal) or 0.0) > left:
            return "budget"
    return None


def _limit_s(problem: Problem, shape: int, limits: Limits, spent: float, best: Trial | None) -> float | None:
    """When to stop the run of `shape`."""
    bounds = []
    if limits.budget_usd is not None:
        bounds.append((limits.budget_usd - spent) / problem.shapes[shape].usd_per_s)
    if limits.cut_off is not None and best is not None:
        log_limit = problem.score(best) + math.log(limits.cut_off) + float(problem.time_offset[shape])
        bounds.append(math.exp(log_limit))
    return min(bounds, default=None)
