from __future__ import annotations

import numpy as np
import pytest

from shardmill.image.profile import changes, to_srgb
from tests.image.odd import SCENE, linear_gray_profile, srgb_profile, swapped_profile

pytestmark = pytest.mark.oldest
PIXELS = np.asarray(SCENE)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("profile", [b"", b"not a profile", srgb_profile()[:200]])
def test_broken_profile_is_ignored(profile: bytes, gray: bool) -> None:
    pixels, converted = to_srgb(PIXELS, profile, gray=gray)
    assert not converted
    assert not changes(profile, gray=gray)
    np.testing.assert_array_equal(pixels, PIXELS)


def test_srgb_by_any_name_is_no_conversion() -> None:
    renamed = srgb_profile().replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    assert not to_srgb(PIXELS, renamed, gray=False)[1]


def test_profile_of_another_colour_space_is_ignored() -> None:
    assert not to_srgb(PIXELS, linear_gray_profile(), gray=False)[1]
    assert not to_srgb(PIXELS, swapped_profile(), gray=True)[1]


def test_other_primaries_are_converted() -> None:
    pixels, converted = to_srgb(PIXELS, swapped_profile(), gray=False)
    assert converted
    assert np.abs(pixels.astype(int) - PIXELS[:, :, ::-1]).max() <= 2


def test_gray_curve_keeps_three_equal_channels() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    pixels, converted = to_srgb(ramp, linear_gray_profile(), gray=True)
    assert converted
    linear = np.arange(256) / 255
    srgb = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(pixels[0, :, 0] - srgb).max() <= 1.5
    assert (pixels == pixels[:, :, :1]).all()
