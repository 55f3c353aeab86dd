"""From an encoded image to RGB pixels, in threads: the decoder lets go of Python's lock."""

from __future__ import annotations

import threading

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from shardmill.errors import DamageError
from shardmill.image.base import ImageSpec, Refused
from shardmill.image.native import NativeTransform

Pixels = NDArray[np.uint8]

_local = threading.local()  # a transform keeps a scratch buffer, so each thread needs one of its own


def decode_ours(image: bytes | memoryview, out: Pixels | None = None) -> Pixels:
    """Pixels of a JPEG that we wrote, shape (height, width, 3), into `out` where it is given.

    The accurate integer DCT (`JDCT_ISLOW`) and smooth upsampling, as Pillow has them.

    Raises:
        DamageError: it does not decode, or not to the shape of `out`.
    """
    try:
        if out is None:
            pixels: Pixels = simplejpeg.decode_jpeg(image, "RGB")
            return pixels
        decoded = simplejpeg.decode_jpeg(image, "RGB", buffer=out)
    except ValueError as error:
        raise DamageError(f"an image does not decode ({error}); see `shardmill verify`.") from error
    if decoded.shape != out.shape:
        raise DamageError(f"an image has the shape {decoded.shape} and not {out.shape}; see `shardmill verify`.")
    return out


def decode_any(image: bytes) -> Pixels:
    """Pixels of an image of any kind, upright and in sRGB, shape (height, width, 3); see `shardmill.image`.

    Raises:
        DamageError: it does not decode.
    """
    if not hasattr(_local, "transform"):
        _local.transform = NativeTransform(ImageSpec(resize_mode="no"))
    pixels: Pixels | Refused = _local.transform.pixels(image)
    if isinstance(pixels, Refused):
        raise DamageError(f"an image does not decode ({pixels.detail}); see `shardmill verify`.")
    return pixels
