from __future__ import annotations

import math

import numpy as np
import pytest

from shardmill.sweep.compare import ratio_of, repetition_of


def test_deviation_is_pooled_over_cells() -> None:
    cells = [[10.0, 10 * math.e**0.2], [50.0], [3.0, 3 * math.e**0.1, 3 * math.e**0.2]]
    repetition = repetition_of(cells)
    assert repetition.dof == 3
    assert repetition.deviation == pytest.approx(math.sqrt((0.02 + 0.02) / 3))


def test_without_repetitions_nothing_is_sure() -> None:
    ratio = ratio_of([20.0], [10.0], repetition_of([[20.0], [10.0]]))
    assert ratio.value == pytest.approx(2)
    assert ratio.interval is None
    assert not ratio.sure


def test_intervals_cover_what_is_true_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        cells = [np.exp(rng.normal(mean, 0.1, 3)).tolist() for mean in (2.0, 2.3, 1.0)]
        interval = ratio_of(cells[1], cells[0], repetition_of(cells)).interval
        assert interval is not None
        held += interval[0] <= math.exp(0.3) <= interval[1]
    assert 930 <= held <= 970


def test_several_comparisons_widen_each() -> None:
    cells = [[10.0, 11.0], [12.0, 12.5], [9.0, 9.9]]
    alone, three = (ratio_of(cells[0], cells[1], repetition_of(cells), count).interval for count in (1, 3))
    assert alone is not None
    assert three is not None
    assert three[0] < alone[0] < alone[1] < three[1]
