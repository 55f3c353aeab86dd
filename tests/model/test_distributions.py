from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.extras import needed

needed("scipy")
from scipy import special, stats

from shardmill.model.distributions import f_tail, incomplete_beta, t_quantile, t_tail

dofs = st.floats(min_value=0.3, max_value=1e5)


@given(st.floats(min_value=-60, max_value=60), dofs)
def test_t_tail_is_that_of_scipy(t: float, dof: float) -> None:
    assert t_tail(t, dof) == pytest.approx(2 * stats.t.sf(abs(t), dof), rel=1e-7, abs=1e-14)


@given(st.floats(min_value=0.5, max_value=0.999), dofs)
def test_t_quantile_is_that_of_scipy(confidence: float, dof: float) -> None:
    assert t_quantile(confidence, dof) == pytest.approx(stats.t.isf((1 - confidence) / 2, dof), rel=1e-8)


@given(
    st.floats(min_value=1e-3, max_value=1e3),
    st.floats(min_value=0.5, max_value=500),
    st.floats(min_value=0.5, max_value=500),
)
def test_f_tail_is_that_of_scipy(f: float, dof: float, below: float) -> None:
    assert f_tail(f, dof, below) == pytest.approx(stats.f.sf(f, dof, below), rel=1e-7, abs=1e-14)


@given(
    st.floats(min_value=0, max_value=1),
    st.floats(min_value=0.2, max_value=2e3),
    st.floats(min_value=0.2, max_value=2e3),
)
def test_incomplete_beta_is_that_of_scipy(x: float, a: float, b: float) -> None:
    assert incomplete_beta(a, b, x) == pytest.approx(special.betainc(a, b, x), rel=1e-8, abs=1e-13)


def test_the_numbers_of_every_table() -> None:
    assert t_quantile(0.95, 4) == pytest.approx(2.776445105)
    assert t_quantile(0.95, 1e9) == pytest.approx(1.959963985)
    assert f_tail(4.964602744, 1, 10) == pytest.approx(0.05)


def test_edges() -> None:
    assert t_tail(math.inf, 3) == 0
    assert math.isnan(t_tail(math.nan, 3))
    assert f_tail(0, 2, 3) == 1
    assert f_tail(math.inf, 2, 3) == 0
    assert math.isnan(f_tail(math.nan, 2, 3))
