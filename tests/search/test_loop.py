from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shardmill.search.base import Goal, Problem
from shardmill.search.experience import make_strategy
from shardmill.search.loop import Limits, Step, expected_usd, search
from shardmill.search.replay import Replay
from tests.search.jobs import memory_bound, rows_of


def steps_of(limits: Limits, name: str = "shardmill", seed: int = 0) -> tuple[Replay, list[Step]]:
    replay = Replay(rows_of("job", memory_bound, limit_s=9000.0), seed)
    problem = Problem(replay.shapes)
    return replay, list(search(problem, make_strategy(name, problem, seed, Goal()), replay, limits))


@given(
    budget=st.floats(0.01, 30.0),
    name=st.sampled_from(["shardmill", "random", "cherrypick"]),
    seed=st.integers(0, 5),
)
@settings(max_examples=30, deadline=None)
def test_the_budget_is_never_passed(budget: float, name: str, seed: int) -> None:
    _, steps = steps_of(Limits(budget_usd=budget), name, seed)
    assert steps[-1].spent_usd <= budget * (1 + 1e-9)
    assert steps[-1].ending in ("budget", "sure", "tried")


def test_a_run_expected_to_pass_the_budget_is_not_begun() -> None:
    _, free = steps_of(Limits())
    ok = [place for place, one in enumerate(free[-1].trials) if one.trial.outcome == "ok"]
    enough = ok[1] + 1  # two runs have ended well, so that costs can be expected
    budget = math.fsum(one.paid_usd for one in free[-1].trials[:enough]) + 0.01
    replay, steps = steps_of(Limits(budget_usd=budget))
    last = steps[-1]
    assert last.ending == "budget"
    assert 0 < len(last.trials) <= enough
    assert last.trials == free[-1].trials[: len(last.trials)]  # none was cut
    assert last.spent_usd + (expected_usd(Problem(replay.shapes), last.proposal) or 0) > budget


def test_runs_are_counted() -> None:
    _, steps = steps_of(Limits(max_runs=3))
    assert len(steps[-1].trials) == 3
    assert steps[-1].ending == "runs"
    assert [len(step.trials) for step in steps] == [0, 1, 2, 3]


def test_a_run_that_can_no_longer_win_is_cut() -> None:
    replay, steps = steps_of(Limits(cut_off=1.2))
    problem = Problem(replay.shapes)
    cut = [one for one in steps[-1].trials if one.trial.outcome == "cut"]
    assert cut
    for step, after in itertools.pairwise(steps):
        paid = after.trials[-1]
        if step.best is not None and step.best.runtime_s is not None:
            best_usd = step.best.runtime_s * problem.shapes[step.best.shape].usd_per_s
            assert paid.paid_usd <= 1.2 * best_usd * (1 + 1e-9)
    whole = math.fsum(replay.paid_usd(replay.run(one.trial.shape)) for one in steps[-1].trials)
    assert steps[-1].spent_usd < whole  # of the same runs to their ends


def test_a_search_goes_on_where_it_was() -> None:
    replay, steps = steps_of(Limits())
    problem = Problem(replay.shapes)
    again = make_strategy("shardmill", problem, 0, Goal())
    resumed = list(search(problem, again, replay, Limits(), steps[2].trials))
    assert resumed[-1].trials == steps[-1].trials
    assert len(resumed) == len(steps) - 2


def test_failures_of_unknown_length_are_charged_as_the_longest_run() -> None:
    replay, _ = steps_of(Limits(max_runs=1))
    failed = next(index for index in range(len(replay.shapes)) if replay.run(index).outcome == "failed")
    longest = max(memory_bound(shape) for shape in replay.shapes if memory_bound(shape) <= 9000)
    assert replay.paid_usd(replay.run(failed)) == pytest.approx(longest * replay.shapes[failed].usd_per_s)
