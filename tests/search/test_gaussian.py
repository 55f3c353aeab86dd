from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from shardmill.search.gaussian import condition, expected_improvement, matern52, normal_cdf
from tests.extras import needed


def squared(points: Any) -> Any:
    return ((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)


def test_the_normal_distribution_against_its_definition() -> None:
    x = np.linspace(-8, 8, 1001)
    exact = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in x])
    assert np.abs(normal_cdf(x) - exact).max() < 2e-7


@pytest.mark.oldest
def test_expected_improvement_of_worked_cases() -> None:
    worked = expected_improvement(np.array([0.0, 1.0, -1.0]), np.array([1.0, 1e-9, 1e-9]), 0.0)
    # at the threshold: the density at 0; a certain loss gains nothing; a certain gain of one gains one
    assert worked == pytest.approx([1 / math.sqrt(2 * math.pi), 0.0, 1.0], abs=1e-6)
    draws = np.random.default_rng(0).normal(0.3, 0.7, 400_000)
    (gain,) = expected_improvement(np.array([0.3]), np.array([0.7]), 0.1)
    assert gain == pytest.approx(np.maximum(0.1 - draws, 0).mean(), abs=2e-3)


def test_the_posterior_is_that_of_scikit_learn() -> None:
    needed("sklearn")
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    rng = np.random.default_rng(1)
    points = rng.uniform(size=(12, 3))
    seen = np.array([1, 4, 7, 9, 2])
    scores = rng.normal(size=5)
    bank, noise = np.array([0.5 * matern52(squared(points) / 0.6**2)]), np.array([0.01])
    posterior = condition(bank, noise, seen, scores[None, :])
    theirs = GaussianProcessRegressor(ConstantKernel(0.5) * Matern(0.6, nu=2.5), alpha=0.01 + 1e-9, optimizer=None)
    theirs.fit(points[seen], scores)
    mean, deviation = theirs.predict(points, return_std=True)
    assert posterior.mean_shift(scores[None, :], np.array([0]))[0] == pytest.approx(mean, abs=1e-8)
    assert np.sqrt(np.diagonal(posterior.covariance[0])) == pytest.approx(deviation, abs=1e-6)
    assert posterior.log_likelihood[0, 0] == pytest.approx(theirs.log_marginal_likelihood_value_, abs=1e-8)


def test_each_surface_and_kernel_has_its_own_likelihood() -> None:
    points = np.linspace(0, 1, 6)[:, None]
    bank = np.array([matern52(squared(points) / scale**2) for scale in (0.2, 1.0)])
    seen, residuals = np.array([0, 3]), np.array([[0.1, -0.2], [1.0, 1.0], [0.0, 0.0]])
    together = condition(bank, np.array([0.1, 0.2]), seen, residuals)
    for surface in range(3):
        for kernel, noise in enumerate((0.1, 0.2)):
            alone = condition(bank[kernel : kernel + 1], np.array([noise]), seen, residuals[surface : surface + 1])
            assert together.log_likelihood[surface, kernel] == pytest.approx(alone.log_likelihood[0, 0])
    assert np.argmax(together.log_likelihood[:, 0]) == 2


def test_noise_of_one_observation_loosens_it() -> None:
    points = np.array([[0.0], [0.3]])
    bank, noise, seen = np.array([matern52(squared(points))]), np.array([1e-4]), np.array([0])
    firm = condition(bank, noise, seen, np.array([[2.0]]))
    loose = condition(bank, noise, seen, np.array([[2.0]]), np.array([1.0]))
    at = np.array([0])
    assert firm.mean_shift(np.array([[2.0]]), at)[0, 0] == pytest.approx(2.0, abs=1e-3)
    assert loose.mean_shift(np.array([[2.0]]), at)[0, 0] == pytest.approx(1.0, abs=1e-3)
