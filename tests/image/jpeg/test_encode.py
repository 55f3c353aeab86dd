"""The codec's JPEGs against Pillow's (libjpeg-turbo), and to every decoder at hand."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from shardmill.image.base import Chroma
from shardmill.image.jpeg.codec import Codec
from shardmill.image.jpeg.library import VARIABLE, library, runnable
from tests.image.conformance import psnr
from tests.image.test_native import detailed

Pixels = NDArray[np.uint8]
MODES: tuple[Chroma, ...] = ("444", "422", "420")
PILLOWS = {"444": 0, "422": 1, "420": 2}
RNG = np.random.default_rng(7)
SCENE: Pixels = np.asarray(detailed(203, 149))
NOISE: Pixels = RNG.integers(0, 256, (83, 91, 3), np.uint8)
CORNERS: Pixels = RNG.choice(np.array([0, 255], np.uint8), (83, 91, 3))
PHOTOGRAPH: Pixels = (SCENE + RNG.normal(0, 6, SCENE.shape)).clip(0, 255).astype(np.uint8)


def encoded(pixels: Pixels, quality: int = 95, chroma: Chroma = "444") -> bytes:
    return Codec().encoded(pixels, quality, chroma)


def by_pillow(pixels: Pixels, quality: int = 95, chroma: Chroma = "444") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=PILLOWS[chroma])
    return file.getvalue()


def decoded(jpeg: bytes) -> Pixels:
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image.convert("RGB"))


def strictly_decoded(jpeg: bytes) -> Pixels:
    """By all that decode; any warning is an error."""
    pixels = decoded(jpeg)
    height, width, _ = pixels.shape
    assert np.array_equal(simplejpeg.decode_jpeg(jpeg, strict=True), pixels)
    own = Codec().resized(jpeg, (width, height), (0.0, 0.0, width, height), (width, height), 1.3)
    assert own is not None
    if simplejpeg.decode_jpeg_header(jpeg)[3] == "444":  # else there are two ways to fill in the chroma
        assert farthest(own, pixels) <= 5
    return pixels


def farthest(one: Pixels, other: Pixels) -> int:
    return int(np.abs(one.astype(int) - other).max())


def board(field: int, height: int = 40, width: int = 48) -> Pixels:
    """Black and white, `field` pixels a side."""
    y, x = np.mgrid[:height, :width] // field
    return np.repeat(((x + y) % 2 * 255).astype(np.uint8)[:, :, None], 3, axis=2)


# --- fidelity and size ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chroma", MODES)
@pytest.mark.parametrize("quality", [1, 10, 25, 50, 75, 90, 95, 100])
@pytest.mark.parametrize("pixels", [SCENE, PHOTOGRAPH, NOISE, CORNERS], ids=["scene", "photograph", "noise", "corners"])
def test_no_worse_and_no_larger_than_libjpeg(pixels: Pixels, quality: int, chroma: Chroma) -> None:
    ours, theirs = encoded(pixels, quality, chroma), by_pillow(pixels, quality, chroma)
    assert psnr(strictly_decoded(ours), pixels) >= psnr(decoded(theirs), pixels) - 0.05
    assert len(ours) < len(theirs) * 1.02


@pytest.mark.parametrize("chroma", MODES)
def test_tables_are_those_of_libjpeg(chroma: Chroma) -> None:
    for quality in range(1, 101):
        ours, theirs = (tables(make(SCENE[:9, :9], quality, chroma)) for make in (encoded, by_pillow))
        assert ours == theirs


def tables(jpeg: bytes) -> tuple[object, object]:
    """Quantisation tables, and the components' sampling factors."""
    with Image.open(io.BytesIO(jpeg)) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        return image.quantization, image.layer


def test_header_is_that_of_libjpeg() -> None:
    """Markers in another order, but the same segments."""
    ours, theirs = encoded(SCENE), by_pillow(SCENE)
    assert len(head(ours)) == len(head(theirs))
    assert sorted(head(ours).split(b"\xff")) == sorted(head(theirs).split(b"\xff"))


def head(jpeg: bytes) -> bytes:
    return jpeg[: jpeg.index(b"\xff\xda") + 14]


@pytest.mark.parametrize("colour", list(product((0, 1, 127, 128, 254, 255), repeat=3)))
def test_flat_colours_at_best_quality(colour: tuple[int, int, int]) -> None:
    pixels = np.full((17, 19, 3), colour, np.uint8)
    for chroma in MODES:
        assert farthest(strictly_decoded(encoded(pixels, 100, chroma)), pixels) <= 1


@pytest.mark.parametrize(("gray", "quality"), [(253, 10), (3, 10), (253, 1), (77, 30)])
def test_halves_are_rounded_away_from_zero(gray: int, quality: int) -> None:
    """A flat block whose quantised mean would be a half: 125 * 8 / 80 is 12.5."""
    pixels = np.full((8, 8, 3), gray, np.uint8)
    assert farthest(decoded(encoded(pixels, quality)), decoded(by_pillow(pixels, quality))) == 0


# --- the extremes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("chroma", MODES)
def test_boards_at_best_quality_come_back(field: int, chroma: Chroma) -> None:
    """The largest coefficients and differences that there are."""
    pixels = board(field)
    assert farthest(strictly_decoded(encoded(pixels, 100, chroma)), pixels) <= 2


def test_every_basis_function_at_full_swing() -> None:
    angle = np.cos(np.pi * np.outer(np.arange(8), 2 * np.arange(8) + 1) / 16)
    blocks = [
        np.where(np.outer(angle[v], angle[u]) * sign > 0, 255, 0)
        for v in range(8)
        for u in range(8)
        for sign in (1, -1)
    ]
    gray = np.concatenate(blocks, axis=1).astype(np.uint8)
    for channel in (*range(3), slice(None)):
        pixels = np.zeros((*gray.shape, 3), np.uint8)
        pixels[:, :, channel] = gray[:, :, None] if isinstance(channel, slice) else gray
        assert farthest(strictly_decoded(encoded(pixels, 100)), pixels) <= 3


def test_zeros_of_every_length() -> None:
    """Single coefficients, each alone in its block: runs of zeros of all lengths up to 62."""
    angle = np.cos(np.pi * np.outer(np.arange(8), 2 * np.arange(8) + 1) / 16)
    blocks = [128 + 100 * np.outer(angle[v], angle[u]) for v in range(8) for u in range(8)]
    pixels = np.repeat(np.concatenate(blocks, axis=1).round().astype(np.uint8)[:, :, None], 3, axis=2)
    for quality in (50, 75, 90):
        found, expected = strictly_decoded(encoded(pixels, quality)), decoded(by_pillow(pixels, quality))
        assert psnr(found, pixels) >= psnr(expected, pixels) - 0.1


@pytest.mark.parametrize("chroma", MODES)
def test_all_sizes_up_to_five_units_by_three(chroma: Chroma) -> None:
    """The smallest are better or worse by luck."""
    codec, gains = Codec(), []
    for width, height in ((w, h) for w in (*range(1, 20), 31, 32, 33, 48, 67) for h in (*range(1, 18), 31, 33, 35)):
        pixels = np.ascontiguousarray(SCENE[:height, :width])
        ours, theirs = codec.encoded(pixels, 90, chroma), by_pillow(pixels, 90, chroma)
        assert decoded(ours).shape == pixels.shape
        gains.append(psnr(decoded(ours), pixels) - psnr(decoded(theirs), pixels))
        assert gains[-1] > -4, (width, height)
        assert len(ours) < 1.02 * len(theirs), (width, height)
    assert np.mean(gains) > -0.05


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 4000), (2000, 1), (67, 35), (65_500, 8), (9, 65_500)])
@pytest.mark.parametrize("chroma", MODES)
def test_odd_sizes(width: int, height: int, chroma: Chroma) -> None:
    pixels = np.resize(SCENE, (height, width, 3))
    ours, theirs = encoded(pixels, 90, chroma), by_pillow(pixels, 90, chroma)
    assert psnr(strictly_decoded(ours), pixels) >= min(45, psnr(decoded(theirs), pixels) - 0.05)
    assert len(ours) < 1.02 * len(theirs)


def test_more_than_the_kept_memory() -> None:
    pixels = RNG.integers(0, 256, (900, 1100, 3), np.uint8)
    codec = Codec()
    first = codec.encoded(pixels, 100, "444")
    assert len(first) > 2**20
    assert first == codec.encoded(pixels, 100, "444")
    assert psnr(strictly_decoded(first), pixels) > 50
    assert codec.encoded(SCENE, 95, "420") == encoded(SCENE, 95, "420")


@pytest.mark.parametrize("height", [83, 72, 64, 56])
def test_little_memory_is_never_overrun(height: int) -> None:
    """More is asked for, whatever part of the stream is the first that has no room."""
    pixels = NOISE[:height]
    codec, whole = Codec(), encoded(pixels)
    for room in (*range(0, len(whole), 997), *range(len(whole) - 5, len(whole) + 9000, 61)):
        memory = np.full(room + 64, 77, np.uint8)
        codec._jpeg = memory[:room]
        assert codec.encoded(pixels, 95, "444") == whole
        assert (memory[room:] == 77).all()


def test_pixels_that_lie_apart() -> None:
    assert encoded(SCENE[::2, ::-3]) == encoded(np.ascontiguousarray(SCENE[::2, ::-3]))


@pytest.mark.parametrize(
    ("pixels", "quality"),
    [(SCENE, 0), (SCENE, 101), (SCENE[:0], 90), (SCENE[:, :0], 90), (np.zeros((1, 65_501, 3), np.uint8), 90)],
)
def test_what_no_jpeg_can_be(pixels: Pixels, quality: int) -> None:
    with pytest.raises(ValueError, match=r"^no JPEG has \d+x\d+ pixels at quality \d+$"):
        encoded(pixels, quality)


# --- everywhere -----------------------------------------------------------------------------------------------------


@pytest.fixture
def _library_loaded_anew() -> Iterator[None]:
    library.cache_clear()
    yield
    library.cache_clear()


@pytest.mark.oldest
@pytest.mark.usefixtures("_library_loaded_anew")
def test_all_variants_make_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for name in runnable():
        monkeypatch.setenv(VARIABLE, name)
        library.cache_clear()
        codec = Codec()
        made.append(
            [
                codec.encoded(image, quality, chroma)
                for image in (SCENE, PHOTOGRAPH, NOISE, CORNERS, board(1))
                for quality in (1, 50, 95, 100)
                for chroma in MODES
            ]
        )
    assert all(one == made[0] for one in made[1:])


@pytest.mark.tensorflow
@pytest.mark.parametrize("chroma", MODES)
def test_tensorflow_reads_them(chroma: Chroma) -> None:
    import tensorflow as tf

    for pixels in (SCENE, NOISE, SCENE[:1, :1]):
        jpeg = encoded(pixels, 95, chroma)
        found = tf.io.decode_jpeg(jpeg, dct_method="INTEGER_ACCURATE", fancy_upscaling=True).numpy()
        assert farthest(found, decoded(jpeg)) <= 2
