"""Whether an image decodes to its last pixel."""

from __future__ import annotations

from typing import Final

import simplejpeg
from PIL import Image

from shardmill.image.base import Refused
from shardmill.image.header import sniff
from shardmill.image.lazy_open import BAD_CONTENT, content_refusal, open_lazily, pillow_limits

MAX_PIXELS: Final = 250_000_000


def decoded_size(image: bytes) -> tuple[int, int] | str:
    """Width and height in pixels as stored, once every pixel has been decoded; or why that fails."""
    kind = sniff(image)
    if kind is None:
        return "the bytes begin no known kind of image"
    return _jpeg_size(image) if kind == "jpeg" else _other_size(image, kind)


def _jpeg_size(image: bytes) -> tuple[int, int] | str:
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(image)
        if height * width > MAX_PIXELS:
            return f"the header claims {width}x{height} pixels, more than {MAX_PIXELS} are not decoded"
        simplejpeg.decode_jpeg(image, colorspace="GRAY", fastdct=True, strict=True)  # all of the entropy code is read
    except ValueError as error:
        return str(error)
    return width, height


def _other_size(image: bytes, kind: str) -> tuple[int, int] | str:
    with pillow_limits(MAX_PIXELS):
        opened = open_lazily(image, kind)
        if isinstance(opened, Refused):
            return opened.detail
        with opened:
            try:
                opened.load()
            except (Image.DecompressionBombError, *BAD_CONTENT) as error:
                return content_refusal(error).detail
            return opened.width, opened.height
