from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from shardmill.registry import SEARCH_STRATEGIES
from shardmill.search.base import Goal, Problem, Trial
from shardmill.search.cherrypick import encode, spread_starts
from shardmill.search.experience import make_strategy
from shardmill.search.history import as_trials
from shardmill.search.physical import PhysicalStrategy
from shardmill.search.replay import Replay
from shardmill.search.settings import Settings
from shardmill.search.shapes import Shape
from shardmill.search.simple import chance_of_a_hit
from shardmill.testing.search import StrategyConformance
from tests.search.jobs import cpu_bound, memory_bound, rows_of, shapes


class TestExhaustive(StrategyConformance):
    name = "exhaustive"


class TestRandom(StrategyConformance):
    name = "random"


class TestCoordinate(StrategyConformance):
    name = "coordinate"


class TestErnest(StrategyConformance):
    name = "ernest"


class TestCherryPick(StrategyConformance):
    name = "cherrypick"


class TestShardmill(StrategyConformance):
    name = "shardmill"


def test_every_strategy_is_held_to_it() -> None:
    assert {suite.name for suite in StrategyConformance.__subclasses__()} == set(SEARCH_STRATEGIES)


def found_by(
    name: str, seconds: Callable[[Shape], float], seed: int, deadline_s: float | None = None
) -> tuple[int, float]:
    """Runs until the strategy's own stop, and what its pick costs over the cheapest that keeps the deadline."""
    replay = Replay(rows_of("job", seconds), seed)
    problem = Problem(replay.shapes, deadline_s=deadline_s)
    strategy, trials = make_strategy(name, problem, seed, Goal()), list[Trial]()
    while not (proposal := strategy.propose(trials)).stop and proposal.shape is not None:
        trials.append(replay.run(proposal.shape))
    best = problem.best(trials)
    assert best is not None
    costs = [seconds(shape) * shape.usd_per_s for shape in problem.shapes]
    allowed = [
        cost for cost, shape in zip(costs, problem.shapes, strict=True) if seconds(shape) <= (deadline_s or math.inf)
    ]
    return len(trials), costs[best.shape] / min(allowed) - 1


@pytest.mark.parametrize("job", [cpu_bound, memory_bound])
def test_ours_finds_what_is_cheap_in_few_runs(job: Callable[[Shape], float]) -> None:
    found = [found_by("shardmill", job, seed) for seed in range(5)]
    assert np.mean([runs for runs, _ in found]) < len(shapes()) / 2
    assert sum(over <= 0.10 for _, over in found) >= 4


@pytest.mark.parametrize("name", ["shardmill", "cherrypick"])
def test_a_deadline_is_kept(name: str) -> None:
    deadline = float(np.quantile([memory_bound(shape) for shape in shapes()], 0.2))
    for seed in range(3):
        _, over = found_by(name, memory_bound, seed, deadline)
        assert over >= 0  # a cheaper one that is too slow is no answer


def test_a_pick_that_barely_keeps_the_deadline_does_not_end_the_search() -> None:
    problem, trials = Problem(shapes()), list[Trial]()
    strategy = make_strategy("shardmill", problem, 0, Goal())
    while not (proposal := strategy.propose(trials)).stop and proposal.shape is not None:
        trials.append(Trial(proposal.shape, "ok", memory_bound(problem.shapes[proposal.shape])))
    best = problem.best(trials)
    assert best is not None
    assert best.runtime_s is not None
    for room, ends in ((1.5, True), (1.01, False)):
        limited = Problem(shapes(), deadline_s=best.runtime_s * room, margin=0.03)
        slower = [trial for trial in trials if trial.runtime_s is not None and trial.runtime_s >= best.runtime_s]
        assert limited.best(slower) == best
        assert make_strategy("shardmill", limited, 0, Goal(probability=0.8)).propose(slower).stop is ends


def test_time_can_be_made_small_under_a_cost_limit() -> None:
    replay = Replay(rows_of("job", cpu_bound))
    problem = Problem(replay.shapes, "time", max_run_usd=2.0)
    strategy, trials = make_strategy("shardmill", problem, 0, Goal()), list[Trial]()
    while not (proposal := strategy.propose(trials)).stop and proposal.shape is not None:
        trials.append(replay.run(proposal.shape))
    best = problem.best(trials)
    assert best is not None
    allowed = [cpu_bound(shape) for shape in problem.shapes if cpu_bound(shape) * shape.usd_per_s <= 2.0]
    assert cpu_bound(problem.shapes[best.shape]) <= 1.1 * min(allowed)


def test_limits_of_cost_and_time_are_one_in_the_score() -> None:
    shape = Shape("m4.large", 4, 2, 8, 0.1)  # 0.4 USD an hour
    by_cost = Problem((shape,), "cost", deadline_s=1800.0, max_run_usd=1.0)
    assert math.exp(by_cost.limits[0]) == pytest.approx(0.2)  # half an hour costs less than a dollar
    by_time = Problem((shape,), "time", deadline_s=1e9, max_run_usd=0.1)
    assert math.exp(by_time.limits[0]) == pytest.approx(900.0)
    assert by_cost.best([Trial(0, "ok", 1800.0)]) is not None
    assert by_cost.best([Trial(0, "ok", 1801.0)]) is None
    assert by_cost.best([Trial(0, "ok", 100.0, fraction=0.5), Trial(0, "cut", 100.0), Trial(0, "failed", None)]) is None


def test_a_failed_neighbourhood_is_avoided() -> None:
    problem = Problem(shapes())
    place = {shape: index for index, shape in enumerate(problem.shapes)}
    small = [index for shape, index in place.items() if shape.machine_type == "c4.large" and shape.node_count <= 6]
    good = place[Shape("r4.xlarge", 4, 4, 7.6 * 4, 0.066 * 4)]
    trials = [Trial(good, "ok", 1000.0), *(Trial(index, "failed", None) for index in small[:2])]
    belief = make_strategy("shardmill", problem, 0, Goal()).propose(trials).belief
    assert belief is not None
    assert belief.success[small[2]] < 0.6 < belief.success[good]


def test_a_run_that_was_cut_counts_as_worse_than_where_it_was_cut() -> None:
    problem = Problem(shapes())
    strategy = make_strategy("shardmill", problem, 0, Goal())
    known = [Trial(0, "ok", 3000.0), Trial(20, "ok", 2000.0)]
    before = strategy.propose(known).belief
    cut = strategy.propose([*known, Trial(8, "cut", 9000.0)]).belief
    assert before is not None
    assert cut is not None
    assert math.exp(before.median[8] + problem.time_offset[8]) < 7000
    assert math.exp(cut.median[8] + problem.time_offset[8]) > 8000


def test_earlier_workloads_bend_the_first_step() -> None:
    problem = Problem(shapes())
    rows = rows_of("earlier", memory_bound)
    assert len(as_trials(problem, rows)) == len(problem.shapes)
    costs = [memory_bound(shape) * shape.usd_per_s for shape in problem.shapes]
    first = make_strategy("shardmill", problem, 0, Goal(), [rows] * 3).propose([]).shape
    blind = make_strategy("shardmill", problem, 0, Goal()).propose([]).shape
    assert first is not None
    assert blind is not None
    assert costs[first] < costs[blind]


def test_without_physics_the_search_still_learns() -> None:
    problem = Problem(shapes())
    settings = Settings(plain_share=1.0, amplitudes=(0.3, 0.6))
    strategy = PhysicalStrategy(problem, 0, Goal(), settings)
    good = [Trial(index, "ok", cpu_bound(problem.shapes[index])) for index in (0, 10, 20)]
    belief = strategy.propose(good).belief
    assert belief is not None
    assert abs(belief.median[0] - problem.score(good[0])) < 0.1
    assert belief.high[35] - belief.low[35] > belief.high[0] - belief.low[0]


def test_what_further_runs_cost_is_no_narrower_than_runs_differ() -> None:
    problem = Problem(shapes())
    trials = [Trial(index, "ok", cpu_bound(problem.shapes[index])) for index in range(36)]
    belief = make_strategy("shardmill", problem, 0, Goal()).propose(trials).belief
    assert belief is not None
    room = (belief.high - belief.low) / 2
    assert room.min() > 0.055
    assert room.max() < 0.10


def test_raggedness_leaves_more_room_for_a_lucky_neighbour() -> None:
    problem = Problem(shapes())
    trials = [Trial(index, "ok", memory_bound(problem.shapes[index])) for index in range(0, 36, 3)]
    smooth, ragged = (
        PhysicalStrategy(problem, 0, Goal(), Settings(raggedness=(one,), noises=(0.01,))).propose(trials).confidence
        for one in (0.0, 0.15)
    )
    assert smooth is not None
    assert ragged is not None
    assert smooth > ragged


def test_chances_of_a_hit_worked_by_hand() -> None:
    assert chance_of_a_hit(10, 0.1, 1) == pytest.approx(0.1)
    assert chance_of_a_hit(10, 0.2, 2) == pytest.approx(1 - 8 / 10 * 7 / 9)
    assert chance_of_a_hit(3, 0.1, 3) == 1.0


def test_starts_of_cherrypick_are_spread() -> None:
    points = encode(shapes())
    assert points.min() == 0.0
    assert points.max() == 1.0
    for seed in range(20):
        starts = spread_starts(points, 3, np.random.default_rng(seed))
        assert len(set(starts)) == 3


def test_a_margin_is_kept_where_it_can_be() -> None:
    problem = Problem(
        (Shape("m4.large", 1, 2, 8, 0.1), Shape("m4.large", 2, 2, 8, 0.1)), deadline_s=1000.0, margin=0.03
    )
    narrow, safe = Trial(0, "ok", 990.0), Trial(1, "ok", 960.0)  # the safe one costs twice as much
    assert problem.best([narrow, safe]) == safe
    assert problem.best([narrow]) == narrow
    assert problem.best([Trial(0, "ok", 1001.0)]) is None
