"""Student's t and Fisher's F, to some ten digits, with degrees of freedom that need not be whole.

Both follow from the regularised incomplete beta function, which is evaluated by its continued fraction.

Source: NIST Digital Library of Mathematical Functions, 8.17.22 (the fraction), 8.17.4 (its reflection), and
Abramowitz and Stegun, Handbook of Mathematical Functions, 26.5.27 and 26.5.28 (t and F from the beta function).
"""

from __future__ import annotations

import math
from typing import Final

_TINY: Final = 1e-300
_PRECISION: Final = 1e-15


def t_tail(t: float, dof: float) -> float:
    """Probability that |T| is at least |t|, for T of Student's t with `dof` > 0 degrees of freedom: a two-sided p."""
    if math.isnan(t):
        return math.nan
    if math.isinf(t):
        return 0.0
    return incomplete_beta(dof / 2, 0.5, dof / (dof + t * t))


def t_quantile(confidence: float, dof: float) -> float:
    """The t beyond which, on both sides together, 1 - `confidence` of Student's t with `dof` > 0 degrees of freedom lies."""
    tail = 1 - confidence
    low, high = 0.0, 1.0
    while t_tail(high, dof) > tail:
        high *= 2
        if high > 1e300:
            return math.inf
    for _ in range(200):
        middle = (low + high) / 2
        if t_tail(middle, dof) > tail:
            low = middle
        else:
            high = middle
        if high - low <= 1e-13 * high:
            break
    return (low + high) / 2


def f_tail(f: float, dof: float, dof_below: float) -> float:
    """Probability that F is at least `f`, with `dof` degrees of freedom above and `dof_below` below the line."""
    if math.isnan(f):
        return math.nan
    if f <= 0:
        return 1.0
    if math.isinf(f):
        return 0.0
    return incomplete_beta(dof_below / 2, dof / 2, dof_below / (dof_below + dof * f))


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1]."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # where the fraction of the reflection converges faster
        return 1 - incomplete_beta(b, a, 1 - x)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(scale) / (a * _fraction(a, b, x))


def _fraction(a: float, b: float, x: float) -> float:
    """1 + d1/(1 + d2/(1 + ...)), from the front (modified Lentz)."""
    value, c, d = 1.0, 1.0, 0.0
    for n in range(1, 10_000):
        m = n // 2
        step = (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            if n % 2 == 0
            else -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        )
        d = 1 / _away_from_zero(1 + step * d)
        c = _away_from_zero(1 + step / c)
        value *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
