"""Gaussian processes over a finite list of candidates, several kernels at a time, in numpy alone.

| symbol | shape | meaning |
|---|---|---|
| K | | candidates |
| H | | kernels of a bank |
| M | | prior mean surfaces |
| n | | candidates seen |
| covariance | (H, K, K) | of the noise-free score between candidates |
| noise | (H,) | variance of one run |
| residuals | (M, n) | what was seen, less each surface |

Formulas: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006: (2.25), (2.26), (2.30), (4.17).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROOT_2: Final = math.sqrt(2.0)
_ROOT_TAU: Final = math.sqrt(2.0 * math.pi)
_JITTER: Final = 1e-9


def normal_cdf(x: Floats) -> Floats:
    """P(Z <= x) of the standard normal, to 1.2e-7 (the complementary error function of Numerical Recipes, 6.2.2)."""
    z = np.abs(x) / _ROOT_2
    t = 1.0 / (1.0 + 0.5 * z)
    poly = -1.26551223 + t * (
        1.00002368
        + t
        * (
            0.37409196
            + t
            * (
                0.09678418
                + t
                * (
                    -0.18628806
                    + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))
                )
            )
        )
    )
    upper = 0.5 * t * np.exp(poly - z * z)
    return np.where(x >= 0, 1.0 - upper, upper)


def normal_pdf(x: Floats) -> Floats:
    return np.exp(-0.5 * x * x) / _ROOT_TAU


def expected_improvement(mean: Floats, deviation: Floats, threshold: Floats | float) -> Floats:
    """E[max(0, threshold - Y)] for Y ~ N(mean, deviation^2), elementwise.

    Source: Jones, Schonlau and Welch, "Efficient Global Optimization of Expensive Black-Box Functions", 1998, (15).
    """
    z = (threshold - mean) / deviation
    return deviation * (z * normal_cdf(z) + normal_pdf(z))


def matern52(squared_distance: Floats) -> Floats:
    """The Matern covariance of smoothness 5/2 and variance 1, from squared distances in length scales."""
    r = np.sqrt(5.0 * squared_distance)
    return (1.0 + r + r * r / 3.0) * np.exp(-r)


@dataclass(frozen=True)
class Posterior:
    """After n scores were seen."""

    log_likelihood: Floats
    """Of what was seen, by surface and kernel, shape (M, H)."""
    weights: Floats
    """From residuals to the mean, shape (H, K, n)."""
    covariance: Floats
    """Of the noise-free scores given what was seen, shape (H, K, K)."""

    def mean_shift(self, residuals: Floats, kernels: NDArray[np.intp]) -> Floats:
        """What the residuals of shape (m, n) add to their surfaces under the kernel named for each row; shape (m, K)."""
        shift = np.empty((len(residuals), self.weights.shape[1]))
        for kernel in np.unique(kernels):
            rows = kernels == kernel
            shift[rows] = residuals[rows] @ self.weights[kernel].T
        return shift


def condition(
    covariance: Floats, noise: Floats, seen: NDArray[np.intp], residuals: Floats, extra_noise: Floats | None = None
) -> Posterior:
    """The posterior of every kernel of a bank for every surface.

    Args:
        covariance: shape (H, K, K).
        noise: shape (H,).
        seen: indices of the candidates seen, shape (n,).
        residuals: shape (M, n).
        extra_noise: variance added to single observations, shape (n,).
    """
    n = len(seen)
    if n == 0:
        empty = np.zeros((len(noise), covariance.shape[1], 0))
        return Posterior(np.zeros((len(residuals), len(noise))), empty, covariance)
    across = covariance[:, :, seen]
    own = noise[:, None] + (0.0 if extra_noise is None else extra_noise[None, :]) + _JITTER
    gram = across[:, seen, :] + np.eye(n) * np.broadcast_to(own, (len(noise), n))[:, None, :]
    factor = np.linalg.cholesky(gram)
    inverse = np.linalg.inv(factor)
    log_determinant = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    likelihood = np.empty((len(residuals), len(noise)))
    for h in range(len(noise)):
        white = residuals @ inverse[h].T
        likelihood[:, h] = -0.5 * np.einsum("mn,mn->m", white, white) - log_determinant[h]
    half = across @ inverse.transpose(0, 2, 1)
    return Posterior(
        likelihood - 0.5 * n * math.log(2.0 * math.pi),
        half @ inverse,
        covariance - half @ half.transpose(0, 2, 1),
    )
