"""Files that are no JPEG, opened by Pillow: their header now, their pixels only when asked for."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from PIL import Image, UnidentifiedImageError

from shardmill.image.base import Refused
from shardmill.image.header import exif_orientation

_READ: Final = frozenset({"png", "gif", "webp", "bmp", "tiff", "jpeg2000", "avif", "ico", "ppm"})
_EXIF: Final = b"Exif\x00\x00"
BAD_CONTENT: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    OverflowError,
    IndexError,
    KeyError,
    TypeError,
)
"""What Pillow's readers are seen to raise on bad files."""


@dataclass(frozen=True, slots=True)
class OtherHeader:
    """Width and height are as stored, in pixels."""

    width: int
    height: int
    orientation: int
    exif: bytes | None
    icc: bytes | None


@contextmanager
def pillow_limits(max_pixels: int) -> Iterator[None]:
    """Pillow with our pixel limit instead of its own, and without its warnings, for one image."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def read_other_header(data: bytes, kind: str, max_pixels: int) -> OtherHeader | Refused:
    """The header of a file of format `kind` (see `header.sniff`), other than JPEG."""
    with pillow_limits(max_pixels):
        image = open_lazily(data, kind)
        if isinstance(image, Refused):
            return image
        with image:
            exif = _exif(image)
            return OtherHeader(
                width=image.width,
                height=image.height,
                orientation=1 if exif is None else exif_orientation(exif),  # not of TIFFs, which Pillow turns itself
                exif=exif,
                icc=_profile(image),
            )


def open_lazily(data: bytes, kind: str) -> Image.Image | Refused:
    """Pillow's image, nothing of it decoded. Call it within `pillow_limits`."""
    name = kind.upper()
    if kind in _READ and name not in Image.OPEN:
        Image.init()  # preloads only five formats
    if kind not in _READ or name not in Image.OPEN:
        return Refused("failed", "unsupported", f"no decoder for {kind} is at hand")
    if kind == "png" and data[12:16] != b"IHDR"[: max(0, len(data) - 12)]:
        return Refused("failed", "corrupt", "it begins like a png file and does not go on like one")
    if _no_pixels(data, kind):
        return Refused("failed", "no_pixels", "the header claims a width or height of zero")
    try:
        return Image.open(io.BytesIO(data), formats=[name])
    except Image.DecompressionBombError:
        return Refused("failed", "too_many_pixels", "the header claims far more pixels than the limit")
    except UnidentifiedImageError:
        return Refused("failed", "corrupt", f"it begins like a {kind} file and does not go on like one")
    except BAD_CONTENT as error:
        return content_refusal(error)


def content_refusal(error: Exception) -> Refused:
    """What a complaint of Pillow's readers comes to; its own words are left out, as some hold addresses."""
    message = str(error).lower()
    if "text chunk" in message or "max_text" in message or "decompressed data too large" in message:
        return Refused("failed", "decompression_bomb", "a text chunk inflates beyond all measure")
    if isinstance(error, EOFError) or any(
        word in message for word in ("truncated", "not enough", "end of file", "eof")
    ):
        return Refused("failed", "truncated", "the file ends before its last pixel")
    return Refused("failed", "corrupt", "the decoder stops at its content")


def _no_pixels(data: bytes, kind: str) -> bool:
    """Pillow does not tell these from other broken headers."""
    if kind == "gif" and len(data) >= 10:
        return 0 in struct.unpack_from("<HH", data, 6)
    if kind == "png" and len(data) >= 24:
        return 0 in struct.unpack_from(">II", data, 16)
    return False


def _exif(image: Image.Image) -> bytes | None:
    exif = image.info.get("exif")
    return exif.removeprefix(_EXIF) if isinstance(exif, bytes) else None


def _profile(image: Image.Image) -> bytes | None:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and profile else None
