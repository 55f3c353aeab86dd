from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from shardmill.image.base import Encoded, ImageSpec
from shardmill.image.native import NativeTransform
from tests.image.conformance import READABLE, SPEC, TransformConformance, psnr
from tests.image.odd import saved

pytestmark = pytest.mark.oldest


class TestNativeTransform(TransformConformance):
    name = "native"
    window = 1

    def test_pulls_the_next_image_after_the_outcome_was_taken(self) -> None:
        taken: list[str] = []

        def images() -> Iterator[bytes]:
            for number in range(3):
                taken.append(f"pulled {number}")
                yield READABLE["plain"].data

        for number, outcome in enumerate(NativeTransform(SPEC).run(images())):
            assert isinstance(outcome, Encoded)
            taken.append(f"outcome {number}")
        assert taken == ["pulled 0", "outcome 0", "pulled 1", "outcome 1", "pulled 2", "outcome 2"]


def detailed(width: int, height: int) -> Image.Image:
    """Edges and texture at many scales, where a shift by part of a pixel or a missing antialias shows."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = np.stack([np.sin(x / step + step) * np.cos(y / (step + 2)) for step in (9, 17, 53)], axis=-1)
    edges = ((x // 61 + y // 47) % 2)[:, :, None]
    return Image.fromarray((110 + 60 * waves + 50 * edges).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("size", [(467, 401), (401, 467), (1201, 803), (803, 1999), (97, 131)])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_pixels_match_a_full_decode_and_lanczos(size: tuple[int, int], subsampling: int) -> None:
    data = saved(detailed(*size), "JPEG", quality=95, subsampling=subsampling)
    pixels = NativeTransform(ImageSpec(width=96, height=96)).pixels(data)
    assert isinstance(pixels, np.ndarray)
    width, height = size
    side = min(size)
    box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    with Image.open(io.BytesIO(data)) as image:
        reference = np.asarray(image.resize((96, 96), Image.Resampling.LANCZOS, box=box))
    assert psnr(pixels, reference) > 37


@pytest.mark.parametrize("side", range(2, 8))
def test_images_of_a_few_pixels_are_exact(side: int) -> None:
    for seed in range(10):
        noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
        data = saved(Image.fromarray(noise), "JPEG", quality=100, subsampling=0)
        with Image.open(io.BytesIO(data)) as image:
            reference = np.asarray(image.resize((1, 1), Image.Resampling.LANCZOS)).astype(int)
        pixels = NativeTransform(ImageSpec(width=1, height=1)).pixels(data)
        assert isinstance(pixels, np.ndarray)
        assert np.abs(pixels - reference).max() <= 2


def test_pixels_are_not_overwritten_by_the_next_image() -> None:
    transform = NativeTransform(ImageSpec(resize_mode="no"))
    first = transform.pixels(READABLE["plain"].data)
    assert isinstance(first, np.ndarray)
    before = first.copy()
    transform.pixels(READABLE["orientation 2"].data)
    np.testing.assert_array_equal(first, before)
