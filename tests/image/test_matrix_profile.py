"""Conversions of our own against littlecms."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from shardmill.image import profile
from shardmill.image.matrix_profile import MatrixProfile, read_matrix_profile
from tests.image.odd import srgb_profile, swapped_profile

pytestmark = pytest.mark.oldest

ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))

GAMMA = struct.pack(">4sIIH2x", b"curv", 0, 1, round(2.2 * 256))
LINE = struct.pack(">4sII", b"curv", 0, 0)
TABLE = struct.pack(">4sII1024H", b"curv", 0, 1024, *(round(65535 * (i / 1023) ** 1.8) for i in range(1024)))


def parametric(kind: int, *parameters: float) -> bytes:
    numbers = struct.pack(f">{len(parameters)}i", *(round(value * 65536) for value in parameters))
    return struct.pack(">4sIHH", b"para", 0, kind, 0) + numbers


CURVES = {
    "gamma": GAMMA,
    "line": LINE,
    "table": TABLE,
    "para 0": parametric(0, 2.4),
    "para 1": parametric(1, 2.2, 0.9, 0.1),
    "para 2": parametric(2, 2.2, 0.9, 0.05, 0.03),
    "para 3": parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "para 4": parametric(4, 2.4, 0.94, 0.05, 1 / 12.92, 0.04045, 0.01, 0.005),
}


def made(columns: tuple[tuple[float, ...], ...], curve: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A profile of a display."""
    white = struct.pack(">4sI3i", b"XYZ ", 0, 63190, 65536, 54061)
    tags = [(b"wtpt", white)]
    for letter, column in zip(b"rgb", columns, strict=True):
        name = bytes([letter])
        tags.append((name + b"XYZ", struct.pack(">4sI3i", b"XYZ ", 0, *(round(value * 65536) for value in column))))
        tags.append((name + b"TRC", curve))
    tags += more
    start = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags:
        table += struct.pack(">4sII", name, start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12s4s", start + len(data), b"", 0x02400000, b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp"
    )
    illuminant = struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(68, b"\0") + illuminant + bytes(48) + table + data


def by_littlecms(icc: bytes, pixels: np.ndarray) -> np.ndarray:
    opened = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    # The perceptual intent moves black points, which curves that do not start in black would show.
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), "RGB", "RGB", renderingIntent=intent)
    converted = ImageCms.applyTransform(Image.fromarray(pixels), transform)
    assert converted is not None
    return np.asarray(converted)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("columns", [ADOBE_RGB, DISPLAY_P3], ids=["Adobe RGB", "Display P3"])
def test_colours_are_those_of_littlecms(columns: tuple[tuple[float, ...], ...], curve: str) -> None:
    icc = made(columns, CURVES[curve])
    ours = read_matrix_profile(icc)
    assert ours is not None
    assert np.abs(ours.converted(noise()).astype(int) - by_littlecms(icc, noise())).max() <= 1


def test_it_is_what_converts() -> None:
    pixels, converted = profile.to_srgb(noise(), made(ADOBE_RGB, GAMMA), gray=False)
    ours = read_matrix_profile(made(ADOBE_RGB, GAMMA))
    assert converted
    assert ours is not None
    np.testing.assert_array_equal(pixels, ours.converted(noise()))


def test_where_littlecms_differs_littlecms_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    icc = made(ADOBE_RGB, parametric(0, 2.3))
    wrong = MatrixProfile(np.tile(np.linspace(0, 1, 256), (3, 1)), np.array(ADOBE_RGB).T)
    monkeypatch.setattr(profile, "read_matrix_profile", lambda _: wrong)
    pixels, converted = profile.to_srgb(noise(), icc, gray=False)
    assert converted
    np.testing.assert_array_equal(pixels, by_littlecms(icc, noise()))


def test_other_kinds_and_malformed_ones_are_left_to_littlecms() -> None:
    good = made(ADOBE_RGB, GAMMA)
    assert read_matrix_profile(good) is not None
    assert read_matrix_profile(swapped_profile()) is not None
    assert read_matrix_profile(made(ADOBE_RGB, GAMMA, (b"A2B0", bytes(40)))) is None
    assert read_matrix_profile(good.replace(b"RGB XYZ ", b"RGB Lab ")) is None
    assert read_matrix_profile(good.replace(b"rTRC", b"rTRX")) is None
    assert read_matrix_profile(good.replace(b"curv", b"cury")) is None
    assert read_matrix_profile(made(ADOBE_RGB, parametric(5, 1))) is None
    assert read_matrix_profile(made(ADOBE_RGB, parametric(1, 2.2, 0, 0.1))) is None
    for length in range(0, len(good), 7):
        read_matrix_profile(good[:length])  # raises nothing
    for place in range(128, len(good)):
        read_matrix_profile(good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :])


def test_the_pixels_given_are_left_alone_and_may_be_a_view() -> None:
    ours = read_matrix_profile(made(DISPLAY_P3, GAMMA))
    assert ours is not None
    pixels = noise()
    view = pixels[::-1, 5:21]
    np.testing.assert_array_equal(ours.converted(view), ours.converted(np.ascontiguousarray(view)))
    np.testing.assert_array_equal(pixels, noise())


def test_srgb_is_its_own() -> None:
    ours = read_matrix_profile(srgb_profile())
    assert ours is not None
    assert np.abs(ours.converted(noise()).astype(int) - noise()).max() <= 1
