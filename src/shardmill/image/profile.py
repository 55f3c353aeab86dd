"""Embedded ICC profiles: which are sRGB in all but name, and what to do about the others. A broken one counts as none."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from shardmill.image.matrix_profile import read_matrix_profile

_SPACES: Final = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}  # Pillow mode to the profile's own word
_SAME: Final = 3  # of 255: profiles called sRGB by their makers differ from each other by up to this
_AGREED: Final = 1  # of 255: a conversion of our own is used where littlecms, which rounds as well, gives the same
_PROFILES_KEPT: Final = 16  # a CMYK profile takes half a megabyte, its transform more


def to_srgb(pixels: NDArray[np.uint8], profile: bytes, *, gray: bool) -> tuple[NDArray[np.uint8], bool]:
    """`pixels`, shape (height, width, 3), in sRGB, and whether that changed them.

    Args:
        pixels: RGB; of three equal channels where `gray`.
        profile: The embedded ICC profile. One that is broken, of another colour space or practically sRGB is ignored.
        gray: The profile describes one channel.
    """
    if gray:
        curve = _gray_curve(profile)
        return (pixels, False) if curve is None else (curve[pixels], True)
    conversion = _rgb_conversion(profile)
    return (pixels, False) if conversion is None else (conversion(pixels), True)


def changes(profile: bytes, *, gray: bool) -> bool:
    """Whether `to_srgb` would change anything."""
    return (_gray_curve(profile) if gray else _rgb_conversion(profile)) is not None


def cmyk_to_rgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bool]:
    """A CMYK image (255 is full ink) in sRGB, and whether its profile was what said how."""
    transform = None if profile is None else _transform(profile, "CMYK")
    if transform is None:
        return image.convert("RGB"), False
    return _applied(transform, image), True


def lab_to_rgb(image: Image.Image) -> Image.Image:
    """A CIELAB image of mode LAB (D50) in sRGB."""
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return _applied(ImageCms.buildTransform(lab, srgb, "LAB", "RGB"), image)


def _applied(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # None only where it works in place
    return converted


@lru_cache(maxsize=_PROFILES_KEPT)
def _rgb_conversion(profile: bytes) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None:
    transform = _transform(profile, "RGB")
    if transform is None:
        return None

    def by_littlecms(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(_applied(transform, Image.fromarray(pixels)))

    levels = np.linspace(0, 255, 16, dtype=np.uint8)
    lattice = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    converted = by_littlecms(lattice)
    if _farthest(lattice, converted) <= _SAME:
        return None
    quick = read_matrix_profile(profile)
    if quick is not None and _farthest(quick.converted(lattice), converted) <= _AGREED:
        return quick.converted
    return by_littlecms


@lru_cache(maxsize=_PROFILES_KEPT)
def _gray_curve(profile: bytes) -> NDArray[np.uint8] | None:
    """sRGB value of each of the 256 grey values."""
    transform = _transform(profile, "L")
    if transform is None:
        return None
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 256)
    curve = np.asarray(_applied(transform, Image.fromarray(ramp)))[0, :, 1]  # green: grey stays neutral
    return None if _farthest(ramp[0], curve) <= _SAME else np.ascontiguousarray(curve)


def _farthest(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    return int(np.abs(one.astype(np.int16) - other).max())


@lru_cache(maxsize=_PROFILES_KEPT)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From images of `mode` to sRGB; None where the profile is broken or of another colour space."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        # By default a coarse table stands in for the curve of a grey profile, ten steps off in the shadows.
        flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
        return ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB", flags=flags)
    except (ImageCms.PyCMSError, OSError):
        return None  # promise of the docstring
