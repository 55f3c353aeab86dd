from __future__ import annotations

import numpy as np
import pytest

from shardmill.errors import UsageError
from shardmill.search.base import Goal, Problem, Trial
from shardmill.search.ernest import ErnestStrategy, ernest_features, next_experiment, nonnegative_least_squares
from shardmill.search.shapes import Shape
from tests.extras import needed


@pytest.mark.oldest
def test_features_of_worked_cases() -> None:
    features = ernest_features(np.array([1.0, 0.5]), np.array([1.0, 4.0]))
    assert features == pytest.approx(np.array([[1, 1, 0, 1], [1, 0.125, np.log(4), 4]]))
    with pytest.raises(UsageError, match="one row per run"):
        ernest_features(np.ones(2), np.ones(3))


def test_least_squares_are_those_of_scipy() -> None:
    needed("scipy")
    from scipy.optimize import nnls

    rng = np.random.default_rng(0)
    for _ in range(200):
        matrix = rng.normal(size=(int(rng.integers(2, 9)), int(rng.integers(1, 6))))
        target = rng.normal(size=len(matrix))
        ours = nonnegative_least_squares(matrix, target)
        theirs, residual = nnls(matrix, target)
        assert (ours >= 0).all()
        assert np.linalg.norm(matrix @ ours - target) == pytest.approx(residual, abs=1e-8)
        assert ours == pytest.approx(theirs, abs=1e-6) or len(matrix) < matrix.shape[1]


def test_weights_that_made_the_times_are_found_again() -> None:
    nodes = np.array([1.0, 2, 4, 8, 16])
    features = ernest_features(np.ones(5), nodes)
    assert nonnegative_least_squares(features, features @ [30, 600, 0, 2]) == pytest.approx([30, 600, 0, 2], abs=1e-6)


def test_the_design_prefers_what_is_unknown_and_what_is_cheap() -> None:
    seen = ernest_features(np.array([0.1, 0.1]), np.array([1.0, 1.0]))
    choices = ernest_features(np.array([0.1, 0.1]), np.array([1.0, 8.0]))
    assert next_experiment(seen, choices, np.ones(2)) == 1
    assert next_experiment(seen, choices, np.array([1.0, 1e6])) == 0


def test_parts_of_the_data_are_run_where_they_can_be() -> None:
    shapes = tuple(Shape("m4.large", count, 2, 8, 0.1) for count in (1, 2, 4, 8, 16))
    problem = Problem(shapes, fractions=(0.05, 0.1, 1.0))
    strategy = ErnestStrategy(problem, 0, Goal())
    trials: list[Trial] = []

    def seconds(fraction: float, nodes: int) -> float:
        return 5 + 4000 * fraction / nodes + 3 * nodes

    while (proposal := strategy.propose(trials)).fraction < 1.0:
        assert proposal.shape is not None
        elapsed = seconds(proposal.fraction, shapes[proposal.shape].node_count)
        trials.append(Trial(proposal.shape, "ok", elapsed, proposal.fraction))
    assert len(trials) == 5
    expected = np.exp(strategy.predict(trials) + problem.time_offset)
    truth = [seconds(1.0, shape.node_count) for shape in shapes]
    assert expected == pytest.approx(truth, rel=0.15)  # extrapolated from a tenth of the data
