from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image

from shardmill.image.base import Encoded, ImageSpec
from shardmill.image.native import NativeTransform
from tests.image.odd import SCENE, png, saved

pytestmark = pytest.mark.oldest


def test_pillows_own_limits_are_put_back_and_do_not_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # SCENE has 5400
    filters = list(warnings.filters)
    (outcome,) = NativeTransform(ImageSpec()).run([saved(SCENE, "PNG")])
    assert isinstance(outcome, Encoded)
    assert Image.MAX_IMAGE_PIXELS == 100
    assert list(warnings.filters) == filters


def test_gray_value_declared_transparent_in_16_bits() -> None:
    rows = b"".join(b"\x00" + b"\x40\x00" * 20 + b"\x80\x00" * 20 for _ in range(20))
    data = png(40, 20, 16, 0, rows, (b"tRNS", b"\x80\x00"))
    pixels = NativeTransform(ImageSpec(resize_mode="no", background=(1, 2, 3))).pixels(data)
    assert isinstance(pixels, np.ndarray)
    assert tuple(pixels[10, 5]) == (64, 64, 64)
    assert tuple(pixels[10, 35]) == (1, 2, 3)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_tiff_is_turned_once(orientation: int) -> None:
    data = saved(SCENE, "TIFF", tiffinfo={0x0112: orientation})
    (outcome,) = NativeTransform(ImageSpec(resize_mode="no")).run([data])
    assert isinstance(outcome, Encoded)
    assert (outcome.width, outcome.height) == ((60, 90) if orientation == 6 else (90, 60))
    assert (outcome.source.width, outcome.source.height) == (outcome.width, outcome.height)
