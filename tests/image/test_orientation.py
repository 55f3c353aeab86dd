from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from shardmill.image.orientation import stored_box, swaps_sides, upright
from tests.image.odd import stored_as

pytestmark = pytest.mark.oldest
UPRIGHT = np.arange(7 * 5 * 3, dtype=np.uint8).reshape(5, 7, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_as_pillow_turns(orientation: int) -> None:
    stored = np.asarray(stored_as(Image.fromarray(UPRIGHT), orientation))
    assert swaps_sides(orientation) == (stored.shape == (7, 5, 3))
    turned = upright(stored, orientation)
    np.testing.assert_array_equal(turned, UPRIGHT)
    assert turned.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
def test_box_cuts_the_same_pixels(orientation: int) -> None:
    stored = np.asarray(stored_as(Image.fromarray(UPRIGHT), orientation))
    left, top, right, bottom = (int(edge) for edge in stored_box((1, 2, 5, 3), orientation, 7, 5))
    np.testing.assert_array_equal(upright(stored[top:bottom, left:right], orientation), UPRIGHT[2:3, 1:5])
