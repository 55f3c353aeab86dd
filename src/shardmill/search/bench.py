"""How good is a strategy? Searches over a trace whose answers are known, counted as papers count them and as users pay.

Oracle counting asks how many trials it took until one was within a tolerance of the best shape; nobody can stop there, since
nobody knows. The strategy's own stop rule says what a user gets: the runs it used, what its pick costs over the optimum, and
what the search cost.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shardmill.search.base import DEFAULT_GOAL, MARGIN, Goal, Objective, Problem, StrategyFactory, Trial
from shardmill.search.experience import make_strategy
from shardmill.search.loop import ends
from shardmill.search.replay import Replay
from shardmill.traces import TraceRow

LEVELS = (0.20, 0.10, 0.0)
"""Tolerances of the oracle counts."""


@dataclass(frozen=True, slots=True)
class Search:
    """One search of one workload with one seed."""

    strategy: str
    workload: str
    seed: int
    deadline_s: float | None
    runs_to: tuple[int, ...]
    """Trials until one was within each of `LEVELS`, failed ones counted."""
    ok_runs_to: tuple[int, ...]
    """The same, failed ones left out as papers do."""
    stopped_after: int
    """Trials when its own rule ended the search; all shapes where it never did."""
    over_optimum: float
    """Objective of the pick over that of the best shape, less one; infinite where it had no pick."""
    keeps_limits: bool
    """Whether the pick, by its true run time, keeps the deadline."""
    search_usd: float
    """Paid for trials until the stop."""
    exhaustive_usd: float
    """Paid for trials of all shapes."""
    said: tuple[tuple[int, bool], ...]
    """For a strategy that says "within x % with probability p": (trials, whether true) when it first said so, if it did."""
    curve: tuple[float, ...]
    """Best so far over the optimum, less one, after each trial."""
    confidences: tuple[float | None, ...]
    """How sure it said to be after 0, 1, 2, … trials that no shape is better by more than the tolerance."""


def run_search(
    rows: Sequence[TraceRow],
    name: str,
    seed: int,
    *,
    objective: Objective = "cost",
    deadline_s: float | None = None,
    goal: Goal = DEFAULT_GOAL,
    history: Sequence[Sequence[TraceRow]] = (),
    factory: StrategyFactory | None = None,
) -> Search:
    """Search one workload until both the optimum has been tried and the strategy's own rule has ended the search.

    `factory` makes the strategy in place of what is registered under `name`, for settings that are to be compared.
    """
    replay = Replay(rows, seed)
    problem = Problem(replay.shapes, objective, deadline_s, margin=MARGIN)
    strategy = make_strategy(name, problem, seed, goal, history) if factory is None else factory(problem, seed, goal)
    times = replay.true_runtimes_s()
    worth = times * problem.table.usd_per_s if objective == "cost" else times
    answers = np.where(times <= (deadline_s or math.inf), worth, math.inf)
    optimum = float(answers.min())
    reachable = math.isfinite(optimum)
    trials: list[Trial] = []
    curve: list[float] = []
    stopped: int | None = None
    pick: Trial | None = None
    said: tuple[tuple[int, bool], ...] = ()
    spent = [0.0]
    confidences: list[float | None] = []
    while True:
        proposal = strategy.propose(trials)
        confidences.append(proposal.confidence)
        best = problem.best(trials)
        if (
            best is not None
            and not said
            and proposal.confidence is not None
            and proposal.confidence >= goal.probability
        ):
            said = ((len(trials), bool(worth[best.shape] <= optimum * (1 + goal.tolerance) + 1e-12)),)
        if stopped is None and (ends(proposal, best) or proposal.shape is None):
            stopped = len(trials)
            pick = best
        found = bool(curve) and curve[-1] <= 1e-9
        if proposal.shape is None or (stopped is not None and (found or not reachable)):
            break
        trial = replay.run(proposal.shape, proposal.fraction)
        trials.append(trial)
        spent.append(spent[-1] + replay.paid_usd(trial))
        reached = float(answers[trial.shape]) / optimum - 1 if reachable and trial.outcome == "ok" else math.inf
        curve.append(min(reached, curve[-1] if curve else math.inf))
    assert stopped is not None
    failed = [trial.outcome != "ok" for trial in trials]
    runs_to = tuple(_first(curve, level, len(problem.shapes)) for level in LEVELS)
    return Search(
        strategy=name,
        workload=rows[0].workload,
        seed=seed,
        deadline_s=deadline_s,
        runs_to=runs_to,
        ok_runs_to=tuple(runs - sum(failed[:runs]) for runs in runs_to),
        stopped_after=stopped,
        over_optimum=float(worth[pick.shape]) / optimum - 1 if pick is not None and reachable else math.inf,
        keeps_limits=pick is not None and bool(times[pick.shape] <= (deadline_s or math.inf)),
        search_usd=spent[stopped],
        exhaustive_usd=math.fsum(replay.paid_usd(replay.run(shape)) for shape in range(len(problem.shapes))),
        said=said,
        curve=tuple(curve),
        confidences=tuple(confidences),
    )


def _first(curve: Sequence[float], level: float, otherwise: int) -> int:
    return next((count for count, value in enumerate(curve, start=1) if value <= level + 1e-9), otherwise)


@dataclass(frozen=True, slots=True)
class Summary:
    """Searches of one strategy over one or more workloads; means over searches, each workload with the same weight."""

    strategy: str
    workload: str
    """Empty for all of the table."""
    searches: int
    runs_to_20: float
    runs_to_10: float
    runs_to_optimum: float
    ok_runs_to_20: float
    ok_runs_to_10: float
    ok_runs_to_optimum: float
    runs_used: float
    mean_over_optimum: float
    p90_over_optimum: float
    share_at_optimum: float
    search_share: float
    """Cost of the search over that of trying every shape."""
    said_share: float | None
    """Share of the searches that said "within x %" within ten runs; None where the strategy says no such thing."""
    said_true: float | None
    """Share of those that said it at all in which it was true."""
    keeps_limits: float
    curve: tuple[float, ...]
    """Mean of the best so far over the optimum, less one, after 1, 2, … 20 trials; failed starts count as twice the optimum."""


def summarise(searches: Sequence[Search], workload: str = "") -> Summary:
    """One row of the table. `searches` are of one strategy, the same number for each workload."""
    spoken = [search.said[0] for search in searches if search.said]
    speaks = bool(spoken)
    finite = [search.over_optimum for search in searches if math.isfinite(search.over_optimum)]

    def mean(values: Sequence[float]) -> float:
        return statistics.fmean(values) if values else math.nan

    oracle = [mean([search.runs_to[level] for search in searches]) for level in range(len(LEVELS))]
    ok = [mean([search.ok_runs_to[level] for search in searches]) for level in range(len(LEVELS))]
    return Summary(
        strategy=searches[0].strategy,
        workload=workload,
        searches=len(searches),
        runs_to_20=oracle[0],
        runs_to_10=oracle[1],
        runs_to_optimum=oracle[2],
        ok_runs_to_20=ok[0],
        ok_runs_to_10=ok[1],
        ok_runs_to_optimum=ok[2],
        runs_used=mean([search.stopped_after for search in searches]),
        mean_over_optimum=mean(finite),
        p90_over_optimum=float(np.quantile(finite, 0.9)) if finite else math.nan,
        share_at_optimum=mean([float(search.over_optimum <= 1e-9) for search in searches]),
        search_share=mean([search.search_usd / search.exhaustive_usd for search in searches]),
        said_share=mean([float(bool(search.said) and search.said[0][0] <= 10) for search in searches])
        if speaks
        else None,
        said_true=mean([float(true) for _, true in spoken]) if speaks else None,
        keeps_limits=mean([float(search.keeps_limits) for search in searches]),
        curve=tuple(mean([_at(search.curve, count) for search in searches]) for count in range(1, 21)),
    )


def _at(curve: Sequence[float], count: int) -> float:
    value = curve[min(count, len(curve)) - 1] if curve else 1.0
    return min(value, 1.0)
