from __future__ import annotations

import math

import numpy as np
import pytest

from tests.extras import needed

needed("scipy")
needed("sklearn")
from scipy import stats
from sklearn.linear_model import LinearRegression

from shardmill.model.regression import Coefficient, Term, fit, identifiable


def design(rows: int, width: int, seed: int = 0) -> tuple[list[Term], np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    columns = [np.ones(rows), *(random.uniform(1, 100, rows) for _ in range(width - 1))]
    terms = [Term(f"x{place}", "u", column) for place, column in enumerate(columns)]
    return terms, random.normal(50, 10, rows), np.arange(rows)


def test_coefficients_are_those_of_scikit_learn() -> None:
    terms, y, cell = design(40, 4)
    found = fit(terms, y, cell)
    theirs = LinearRegression().fit(np.column_stack([term.column for term in terms[1:]]), y)
    assert found.values == pytest.approx([theirs.intercept_, *theirs.coef_], rel=1e-9)


def test_weighted_coefficients_are_those_of_scikit_learn() -> None:
    terms, y, cell = design(40, 3)
    weights = np.random.default_rng(1).uniform(0.1, 10, 40)
    found = fit(terms, y, cell, weights)
    theirs = LinearRegression().fit(np.column_stack([term.column for term in terms[1:]]), y, weights)
    assert found.values == pytest.approx([theirs.intercept_, *theirs.coef_], rel=1e-9)


def test_one_mean_has_the_interval_of_students_t() -> None:
    """With one column of ones and a row a cell, the whole apparatus must come down to the t interval of a mean."""
    y = np.random.default_rng(3).normal(10, 2, 7)
    (mean,) = fit([Term("mean", "", np.ones(7))], y, np.arange(7)).coefficients
    expected = stats.t.interval(0.95, 6, y.mean(), stats.sem(y))
    assert mean.dof == pytest.approx(6)
    assert mean.interval == pytest.approx(expected)
    assert mean.p == pytest.approx(stats.ttest_1samp(y, 0).pvalue)


def test_equal_cells_have_the_interval_of_their_means() -> None:
    """Five repetitions of each of seven cells are seven witnesses and not thirty-five."""
    means = np.random.default_rng(3).normal(10, 2, 7)
    y = np.repeat(means, 5) + np.tile((-0.1, 0.1, 0, 0.05, -0.05), 7)
    (mean,) = fit([Term("mean", "", np.ones(35))], y, np.repeat(np.arange(7), 5)).coefficients
    assert mean.dof == pytest.approx(6)
    assert mean.interval == pytest.approx(stats.t.interval(0.95, 6, means.mean(), stats.sem(means)))


def test_two_groups_have_the_interval_of_welch() -> None:
    """HC2 with Satterthwaite's degrees is Welch's test, up to the degrees, which rest on equal variances."""
    random = np.random.default_rng(5)
    one, other = random.normal(3, 1, 6), random.normal(5, 4, 9)
    group = np.repeat((0.0, 1.0), (6, 9))
    found = fit(
        [Term("intercept", "", np.ones(15)), Term("gap", "", group)], np.concatenate([one, other]), np.arange(15)
    )
    assert found["gap"].value == pytest.approx(other.mean() - one.mean())
    assert found["gap"].error == pytest.approx(math.hypot(stats.sem(one), stats.sem(other)))


def test_columns_of_any_size_are_fitted_alike() -> None:
    terms, y, cell = design(40, 3)
    tiny = [Term(term.name, "", term.column * 10.0 ** (9 * place - 9)) for place, term in enumerate(terms)]
    one, other = fit(terms, y, cell), fit(tiny, y, cell)
    assert one.fitted == pytest.approx(other.fitted, rel=1e-9)
    assert [c.value / c.error for c in one.coefficients] == pytest.approx(
        [c.value / c.error for c in other.coefficients]
    )
    assert np.sqrt(np.diag(one.covariance)) == pytest.approx([c.error for c in one.coefficients])


def test_a_combination_of_one_is_the_coefficient() -> None:
    terms, y, cell = design(40, 3)
    found = fit(terms, y, cell)
    again = found.combination(np.array([0.0, 2.0, 0.0]))
    assert again.value == pytest.approx(2 * found["x1"].value)
    assert again.error == pytest.approx(2 * found["x1"].error)
    assert again.dof == pytest.approx(found["x1"].dof)


def test_what_cannot_be_told_is_said() -> None:
    ones, size = np.ones(12), np.repeat((2.0, 4.0, 8.0), 4)
    terms = [
        Term("start", "", ones),
        Term("size", "", size),
        Term("count", "", 8 * ones),
        Term("images", "", 8 * size),
        Term("none", "", 0 * ones),
    ]
    kept, given_up = identifiable(terms)
    assert [term.name for term in kept] == ["start", "size"]
    reasons = {one.name: one.why for one in given_up}
    assert "the same as start;" in reasons["count"]
    assert "the same as size;" in reasons["images"]
    assert "zero in every row" in reasons["none"]
    assert len(fit(terms, size, np.arange(12)).coefficients) == 2


def test_a_sum_that_cannot_be_told() -> None:
    a, b = np.arange(6.0), np.array([1.0, 0, 1, 0, 1, 1])
    _, given_up = identifiable([Term("a", "", a), Term("b", "", b), Term("c", "", a + b)])
    assert "the same as a and b" in given_up[0].why


def test_too_few_rows_have_no_bounds() -> None:
    terms, y, cell = design(3, 3)
    found = fit(terms, y, cell)
    assert found.fitted == pytest.approx(y)
    for one in found.coefficients:
        assert one.interval == (-math.inf, math.inf)
        assert math.isnan(one.p)
        assert not one.sure


def test_few_cells_are_judged_by_their_rows() -> None:
    terms, y, _ = design(12, 2)
    assert not fit(terms, y, np.repeat((0, 1, 2), 4)).by_cell
    assert fit(terms, y, np.repeat((0, 1, 2, 3), 3)).by_cell


def test_coefficients_without_noise() -> None:
    exact = Coefficient("a", "", 2.0, 0.0, 5.0)
    assert (exact.p, exact.interval, exact.sure) == (0.0, (2.0, 2.0), True)
    assert Coefficient("a", "", 0.0, 0.0, 5.0).p == 1.0


def test_intervals_cover_though_noise_is_uneven_and_cells_err_together() -> None:
    """Where each cell has an error of its own, intervals by rows would hold in some 60 of 100 trials."""
    size = np.repeat(np.geomspace(2, 64, 12), 5)
    cell = np.repeat(np.arange(12), 5)
    inside = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        y = 100 + 3 * size + random.normal(0, 0.2 * size) + np.repeat(random.normal(0, 10, 12), 5)
        low, high = fit([Term("a", "", np.ones(60)), Term("b", "", size)], y, cell)["b"].interval
        inside += low <= 3 <= high
    assert 0.93 <= inside / 400 <= 0.99
