"""Strategies by name, with what earlier workloads tell."""

from __future__ import annotations

from collections.abc import Sequence

from shardmill.registry import SEARCH_STRATEGIES, load
from shardmill.search.base import Goal, Problem, Strategy
from shardmill.search.history import as_trials
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


def _typed(strategy: Strategy) -> Strategy:
    return strategy
