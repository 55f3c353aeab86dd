"""Strategies by name, with what earlier workloads tell."""

from __future__ import annotations

from collections.abc import Sequence

from shardmill.registry import SEARCH_STRATEGIES, load
from shardmill.search.base import Goal, Problem, Strategy, Trial
from shardmill.search.shapes import distinct
from shardmill.traces import TraceRow


def make_strategy(
    name: str, problem: Problem, seed: int, goal: Goal, history: Sequence[Sequence[TraceRow]] = ()
) -> Strategy:
    """The strategy called `name`; only ours takes `history`, the runs of other workloads.

    Raises:
        UsageError: there is none of that name.
    """
    factory = load(SEARCH_STRATEGIES, "strategy", name)
    if name != "shardmill" or not history:
        return _typed(factory(problem, seed, goal))
    return _typed(factory(problem, seed, goal, history=[as_trials(problem, rows) for rows in history]))


def as_trials(problem: Problem, rows: Sequence[TraceRow]) -> list[Trial]:
    """The runs in `rows` on shapes of `problem`, as trials: the mean of those that ended well."""
    trials = []
    places = {shape: index for index, shape in enumerate(problem.shapes)}
    for shape, runs in distinct(rows).items():
        times = [row.runtime_s for row in runs if row.status == "ok" and row.runtime_s is not None]
        if shape in places and times:
            trials.append(Trial(places[shape], "ok", sum(times) / len(times)))
    return trials


def _typed(strategy: Strategy) -> Strategy:
    return strategy
