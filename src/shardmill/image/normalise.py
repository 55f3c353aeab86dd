"""Any image as 8-bit sRGB at its full size: the one place for odd modes, whichever transform asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from shardmill.image.base import ImageSpec, Refused, SourceFacts
from shardmill.image.header import JpegHeader
from shardmill.image.intake import Intake
from shardmill.image.lazy_open import BAD_CONTENT, content_refusal, open_lazily, pillow_limits
from shardmill.image.libjpeg import decode
from shardmill.image.profile import cmyk_to_rgb, lab_to_rgb, to_srgb

_SIXTEEN_BIT: Final = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I", "F"})
_ALPHA: Final = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_DIRECT: Final = frozenset({"1", "L", "P", "RGB", "RGBX", "YCbCr", "HSV"})
_BITS_PER_SAMPLE: Final = 258  # TIFF tag


@dataclass(frozen=True, slots=True)
class Normalised:
    """An image in sRGB, not yet turned upright."""

    pixels: NDArray[np.uint8]
    """Shape (height, width, 3), as stored, contiguous."""
    facts: SourceFacts


def normalise(data: bytes, intake: Intake, spec: ImageSpec) -> Normalised | Refused:
    """Decode the first frame of `data` whole and convert it; transparent pixels show `spec.background`."""
    conversions = set(intake.facts.conversions)
    pixels: NDArray[np.uint8] | Refused
    if intake.jpeg is not None:
        decode = _plain_jpeg if intake.jpeg.plain else _inked_jpeg
        pixels = decode(data, intake, intake.jpeg, conversions)
    else:
        with pillow_limits(spec.max_pixels):
            pixels = _decoded(data, intake, spec, conversions)
    if isinstance(pixels, Refused):
        return replace(pixels, source=intake.facts)
    if pixels.shape != (intake.stored_height, intake.stored_width, 3):
        return Refused("failed", "corrupt", "the pixels are not of the size that the header says", intake.facts)
    return Normalised(pixels, replace(intake.facts, conversions=tuple(sorted(conversions))))


def _plain_jpeg(data: bytes, intake: Intake, jpeg: JpegHeader, conversions: set[str]) -> NDArray[np.uint8] | Refused:
    buffer = np.empty(intake.stored_height * intake.stored_width * 3, np.uint8)
    decoded = decode(intake.clean(data), intake.facts, buffer=buffer)
    if isinstance(decoded, Refused):
        return decoded
    pixels, facts = decoded
    conversions.update(facts.conversions)
    if intake.icc is not None:
        pixels, converted = to_srgb(pixels, intake.icc, gray=jpeg.components == 1)
        if converted:
            conversions.add("icc")
    return pixels


def _inked_jpeg(data: bytes, intake: Intake, jpeg: JpegHeader, conversions: set[str]) -> NDArray[np.uint8] | Refused:
    """A JPEG of four inks. libjpeg-turbo turns YCCK to CMYK; Adobe's files hold all four inverted."""
    if jpeg.components != 4 or jpeg.precision != 8:
        detail = f"a JPEG of {jpeg.components} components of {jpeg.precision} bits in process {jpeg.process:#x}"
        return Refused("failed", "unsupported", detail)
    buffer = np.empty(intake.stored_height * intake.stored_width * 4, np.uint8)
    decoded = decode(intake.clean(data), intake.facts, colorspace="CMYK", buffer=buffer)
    if isinstance(decoded, Refused):
        return decoded
    inks, facts = decoded
    conversions.update(facts.conversions)
    if jpeg.adobe_transform is not None:
        np.subtract(255, inks, out=inks)
    image, by_profile = cmyk_to_rgb(Image.fromarray(inks, mode="CMYK"), intake.icc)
    if by_profile:
        conversions.add("icc")
    return np.asarray(image)


def _decoded(data: bytes, intake: Intake, spec: ImageSpec, conversions: set[str]) -> NDArray[np.uint8] | Refused:
    opened = open_lazily(data, intake.facts.format)
    if isinstance(opened, Refused):
        return opened
    with opened as image:
        if getattr(image, "is_animated", False):
            conversions.add("animation")
        if _deep(data, image):
            conversions.add("16bit")
        try:
            image.load()
        except Image.DecompressionBombError:
            return Refused("failed", "too_many_pixels", "a frame claims far more pixels than the limit")
        except MemoryError:
            return Refused("failed", "too_many_pixels", "its pixels do not fit in memory")
        except BAD_CONTENT as error:
            return content_refusal(error)
        return _rgb(image, intake.icc, spec.background, conversions)


def _rgb(
    image: Image.Image, profile: bytes | None, background: tuple[int, int, int], conversions: set[str]
) -> NDArray[np.uint8] | Refused:
    """`image`, loaded, in sRGB; adds to `conversions` what that took."""
    mode = image.mode
    alpha: Image.Image | None = None
    gray = mode in ("1", "L", "LA", "La") or mode in _SIXTEEN_BIT
    if gray:
        conversions.add("gray")
    if mode in ("P", "PA"):
        conversions.add("palette")
    if mode in _SIXTEEN_BIT:
        conversions.add("16bit")
        image, alpha = _scaled(image)
    elif mode in _ALPHA or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image, alpha = rgba.convert("RGB"), rgba.getchannel("A")
    elif mode == "CMYK":
        conversions.add("cmyk")
        image, by_profile = cmyk_to_rgb(image, profile)
        if by_profile:
            conversions.add("icc")
        profile = None
    elif mode == "LAB":
        conversions.add("lab")
        image, profile = lab_to_rgb(image), None
    elif mode not in _DIRECT:
        return Refused("failed", "unsupported", f"images of mode {mode} are not read")
    pixels = np.asarray(image.convert("RGB"))
    if profile is not None:
        pixels, converted = to_srgb(pixels, profile, gray=gray)
        if converted:
            conversions.add("icc")
    if alpha is not None and alpha.getextrema() != (255, 255):
        conversions.add("alpha")
        pixels = _composited(pixels, np.asarray(alpha), background)
    return np.ascontiguousarray(pixels)


def _scaled(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """An image of one deep channel in 8 bits, and its alpha where one value is declared transparent."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64))
    peak = float(values.max())
    if image.mode == "F" and peak <= 1:
        full = 1.0
    elif image.mode == "F" and peak <= 255:
        full = 255.0
    else:
        full = 65535.0 if peak <= 65535 else 2.0**31 - 1 if peak < 2**31 else peak
    scaled = np.clip(np.rint(values * (255 / full)), 0, 255).astype(np.uint8)
    clear = image.info.get("transparency")
    alpha = Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)) if isinstance(clear, int) else None
    return Image.fromarray(scaled), alpha


def _composited(
    pixels: NDArray[np.uint8], alpha: NDArray[np.uint8], background: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """`pixels` over `background`, rounded to the nearest."""
    opacity = alpha.astype(np.uint32)[:, :, None]
    under = np.array(background, np.uint32)
    return ((pixels * opacity + under * (255 - opacity) + 127) // 255).astype(np.uint8)


def _deep(data: bytes, image: Image.Image) -> bool:
    """More than 8 bits a channel, which Pillow's mode hides where it has no deep mode of that kind."""
    if image.format == "PNG":
        return data[24] == 16
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return bool(max(image.tag_v2.get(_BITS_PER_SAMPLE, (8,))) > 8)
    return False
