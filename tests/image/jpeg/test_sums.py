"""The codec's sums are those of numpy."""

from __future__ import annotations

import numpy as np
import pytest

from shardmill.image.jpeg.codec import Codec
from shardmill.image.sums import sums_of


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 4), (5, 3), (192, 192), (401, 7), (2, 65_500)])
def test_every_fourth_row_and_column_counts(height: int, width: int) -> None:
    pixels = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert Codec().sums(pixels) == sums_of(pixels[::4, ::4])


def test_sums_of_a_view_are_those_of_its_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    assert Codec().sums(pixels[::-1, 3:21]) == sums_of(pixels[::-1, 3:21][::4, ::4])
