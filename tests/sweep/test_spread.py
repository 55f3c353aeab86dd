from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from shardmill.sweep.cells import cells_of
from shardmill.sweep.evidence import RunSeen
from shardmill.sweep.spread import Component, Source, Spread, spread_of
from tests.sweep.made import renamed, rows, run_of, shape

SHAPES = [shape(name) for name in "abc"]
OF_SHAPE = (-0.3, 0.0, 0.3)
OF_PARTITIONS = {1: 0.2, 2: 0.0, 4: -0.2, 16: 0.0}


def sweep(
    seed: int,
    *,
    shapes: Sequence[float] = OF_SHAPE,
    partitions: dict[int, float] = OF_PARTITIONS,
    noise: float = 0.05,
    repetitions: int = 3,
    drop: float = 0.0,
    first: float = 0.0,
) -> Spread:
    """Planted effects on log(elapsed); `drop` is the share of runs that are missing, `first` what a first run has on top."""
    rng = np.random.default_rng(seed)
    runs: list[RunSeen] = []
    for spec, effect in zip(SHAPES, shapes, strict=False):
        begun = False
        for repetition in range(repetitions):
            for count, more in partitions.items():
                if rng.random() < drop:
                    continue
                log = math.log(60) + effect + more + rng.normal(0, noise) + (0 if begun else first)
                one = run_of(
                    spec,
                    count,
                    elapsed_s=math.exp(log),
                    repetition=repetition,
                    first=not begun,
                    sampled=False,
                    logged=False,
                )
                runs.append(renamed(one, len(runs)))
                begun = True
    used = [spec for spec in SHAPES if any(run.cell.shape == spec.name for run in runs)]
    spread = spread_of(cells_of(rows(used, runs)), runs)
    assert spread is not None
    return spread


def component(spread: Spread, source: Source) -> Component:
    return next(one for one in spread.components if one.source == source)


def deviations(spreads: Sequence[Spread], source: Source) -> list[float]:
    return [component(spread, source).deviation for spread in spreads]


@pytest.mark.parametrize("drop", [0.0, 0.25])
def test_planted_components_are_found(drop: float) -> None:
    spreads = [sweep(seed, drop=drop) for seed in range(40)]
    planted: dict[Source, float] = {"shape": math.sqrt(0.06), "partitions": math.sqrt(0.02), "repetition": 0.05}
    for source, true in planted.items():
        squares = np.mean(np.square(deviations(spreads, source)))
        assert math.sqrt(squares) == pytest.approx(true, rel=0.1), source
    assert np.median(deviations(spreads, "shape and partitions together")) < 0.02


def test_intervals_cover_what_was_planted() -> None:
    spreads = [sweep(seed, noise=0.1) for seed in range(60)]
    planted: dict[Source, float] = {"shape": math.sqrt(0.06), "partitions": math.sqrt(0.02), "repetition": 0.1}
    for source, true in planted.items():
        intervals = [component(spread, source).interval for spread in spreads]
        held = sum(one is not None and one[0] <= true <= one[1] for one in intervals)
        assert held >= 52, source


def test_intervals_of_weak_effects_do_not_lie_above_them() -> None:
    """The noise of the cell means is in a bootstrap twice: uncorrected, more of them would."""
    weak = (-0.06, 0.0, 0.06)
    spreads = [sweep(seed, shapes=weak, noise=0.1, repetitions=2) for seed in range(100)]
    true = math.sqrt(0.0024)
    above = [one for spread in spreads if (one := component(spread, "shape").interval) is not None and one[0] > true]
    assert len(above) <= 5


def test_no_effect_is_not_taken_for_one() -> None:
    spreads = [sweep(seed, shapes=(0, 0, 0), partitions=dict.fromkeys((1, 2, 4), 0.0), noise=0.1) for seed in range(40)]
    shares = [component(spread, "repetition").share or 0.0 for spread in spreads]
    assert np.mean(shares) > 0.75
    intervals = [component(spread, "shape").interval for spread in spreads]
    assert sum(one is not None and one[0] == 0 for one in intervals) > 32


def test_shares_add_up() -> None:
    spread = sweep(0)
    assert sum(one.share or 0.0 for one in spread.components) == pytest.approx(1)
    assert [one.source for one in spread.components] == [
        "shape",
        "partitions",
        "shape and partitions together",
        "repetition",
    ]


def test_what_does_not_vary_has_no_component() -> None:
    spread = sweep(0, partitions={4: 0.0})
    assert [one.source for one in spread.components] == ["shape", "repetition"]
    assert spread.repeated


def test_without_repetitions_what_is_left_stands_for_them() -> None:
    spread = sweep(0, repetitions=1)
    assert not spread.repeated
    assert [one.source for one in spread.components] == ["shape", "partitions", "repetition"]
    assert component(spread, "repetition").deviation < 0.1


def test_first_runs_are_apart() -> None:
    spread = sweep(3, first=0.4)
    assert spread.first is not None
    assert spread.first.runs == 3
    assert spread.first.interval is not None
    assert spread.first.interval[0] < math.exp(0.4) < spread.first.interval[1]
    assert component(spread, "repetition").deviation < 0.08


@pytest.mark.parametrize("slow", [1.0, 1.3])
def test_nodes_that_differ_are_found(slow: float) -> None:
    spec, rng = shape("n", workers=4), np.random.default_rng(5)
    runs = []
    for place in range(12):
        tasks = np.exp(rng.normal(0, 0.05, 40)).tolist()
        speed = (1.0, slow, 1 / slow, 1.0)
        runs.append(renamed(run_of(spec, 40, elapsed_s=30, tasks=tasks, node_speed=speed, sampled=False), place))
    spread = spread_of(cells_of(rows([spec], runs)), runs)
    assert spread is not None
    node = component(spread, "node")
    true = math.log(slow) * math.sqrt(2 / 3)
    assert node.deviation == pytest.approx(true, abs=0.02)
    assert node.share is None
    assert node.interval is not None
    assert (node.interval[0] > 0.1) == (slow > 1)


def test_one_run_has_no_spread() -> None:
    spec = shape()
    run = run_of(spec)
    assert spread_of(cells_of(rows([spec], [run])), [run]) is None
