from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardmill.report.quantity import quantity, significant


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (5432.1, "images/s", "5,430 images/s"),
        (6.581, "x", "6.58\u00d7"),
        (0.01234, "s", "12.3 ms"),
        (0.99999, "s", "1.00 s"),
        (0.0000042, "s", "4.20 \u00b5s"),
        (83.4, "s", "83.4 s"),
        (-0.5, "%", "\u22120.500%"),
        (0.4217, "$", "$0.422"),
        (-3, "$", "\u2212$3"),
        (3, "passes", "3 passes"),
        (12_000_000, "", "12,000,000"),
        (0, "s", "0 s"),
        (9.9996, "", "10.0"),
        (999.96, "", "1,000"),
        (math.inf, "s", "unbounded"),
        (math.nan, "s", "not known"),
    ],
)
def test_words(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_bare() -> None:
    assert quantity(6.581, "x", bare=True) == "6.58"
    assert quantity(0.01234, "s", bare=True) == "12.3 ms"


@given(st.floats(min_value=1e-9, max_value=1e15))
def test_three_digits_are_right(value: float) -> None:
    assert float(significant(value).replace(",", "")) == pytest.approx(value, rel=0.0051)
