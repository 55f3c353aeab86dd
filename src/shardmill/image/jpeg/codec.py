"""The compiled codec as Python sees it."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shardmill.image.base import Chroma, PixelSums
from shardmill.image.geometry import MAX_SIDE, Box
from shardmill.image.jpeg.library import library

_DONE: Final = 0
_NO_ROOM: Final = 3
_ALIGNMENT: Final = 64
_FIRST_SCRATCH: Final = 2**20
_KEPT_SCRATCH: Final = 48 * 2**20
"""Bytes; an image that needs more gets memory of its own."""

_LUMINANCE_SAMPLES: Final[Mapping[Chroma, tuple[int, int]]] = {"444": (1, 1), "422": (2, 1), "420": (2, 2)}
"""For one of each chroma component, across and down."""


class _Request(ctypes.Structure):
    """`struct request` of resize.c."""

    _fields_ = (
        ("data", ctypes.c_char_p),
        ("size", ctypes.c_uint64),
        ("left", ctypes.c_double),
        ("top", ctypes.c_double),
        ("right", ctypes.c_double),
        ("bottom", ctypes.c_double),
        ("oversampling", ctypes.c_double),
        ("rgb", ctypes.c_void_p),
        ("scratch", ctypes.c_void_p),
        ("scratch_size", ctypes.c_uint64),
        ("scratch_needed", ctypes.c_uint64),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("result_width", ctypes.c_int32),
        ("result_height", ctypes.c_int32),
    )


class _Encoding(ctypes.Structure):
    """`struct encoding` of encode.c."""

    _fields_ = (
        ("rgb", ctypes.c_void_p),
        ("jpeg", ctypes.c_void_p),
        ("room", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("quality", ctypes.c_int32),
        ("h", ctypes.c_int32),
        ("v", ctypes.c_int32),
    )


class Codec:
    """Decodes and resizes in one go, adds up, and encodes. Holds scratch memory, so that one thread at a time may use it."""

    def __init__(self) -> None:
        self._resize = library().shardmill_jpeg_resize
        self._scratch = _scratch(_FIRST_SCRATCH)
        self._encode = library().shardmill_jpeg_encode
        self._sum = library().shardmill_pixel_sums
        self._jpeg = np.empty(_FIRST_SCRATCH, np.uint8)

    def resized(
        self, jpeg: bytes, stored: tuple[int, int], box: Box, size: tuple[int, int], oversampling: float
    ) -> NDArray[np.uint8] | None:
        """`box` of a JPEG at `size`, shape (height, width, 3) RGB; None where it is not whole or not of the common kind.

        Lanczos, antialiased, of the pixels that a full decode gives; or of a coarser one where that leaves enough. Three lobes
        for brightness, two for colours.

        Args:
            jpeg: The stream, baseline or extended Huffman, 8 bits, of one component or of Y, Cb and Cr.
            stored: Width and height that its header says, in pixels.
            box: What is kept: left, top, right, bottom in pixels as stored.
            size: Width and height of the result.
            oversampling: Samples for one of the result, each way, that a coarser decode must leave.

        Raises:
            ValueError: the box is empty or not within the image, or the size is not one that a JPEG can have.
        """
        left, top, right, bottom = box
        # What the C relies on; false where a number is NaN.
        within = 0 <= left < right <= stored[0] and 0 <= top < bottom <= stored[1]
        if not within or not 0 < min(size) <= max(size) <= MAX_SIDE:
            raise ValueError(f"cannot make {size} pixels of {box} of an image of {stored}")
        rgb = np.empty((size[1], size[0], 3), np.uint8)
        request = _Request(jpeg, len(jpeg), *box, oversampling, _address(rgb), 0, 0, 0, *stored, *size)
        scratch = self._scratch
        while True:
            request.scratch, request.scratch_size = _address(scratch), scratch.size
            outcome = self._resize(ctypes.byref(request))
            if outcome != _NO_ROOM:
                return rgb if outcome == _DONE else None
            scratch = _scratch(max(request.scratch_needed, 2 * scratch.size))
            if scratch.size <= _KEPT_SCRATCH:
                self._scratch = scratch

    def encoded(self, pixels: NDArray[np.uint8], quality: int, chroma: Chroma) -> bytes:
        """A baseline JPEG in a JFIF file; the same bytes on every machine.

        Args:
            pixels: Shape (height, width, 3) RGB, 1 to 65500 a side.
            quality: 1 to 100, as the library of the Independent JPEG Group counts it.
            chroma: Subsampling.

        Raises:
            ValueError: there is no such JPEG.
        """
        pixels = np.ascontiguousarray(pixels, np.uint8)
        height, width, _ = pixels.shape
        encoding = _Encoding(_address(pixels), 0, 0, 0, width, height, quality, *_LUMINANCE_SAMPLES[chroma])
        jpeg = self._jpeg
        while True:
            encoding.jpeg, encoding.room = _address(jpeg), jpeg.size
            outcome = self._encode(ctypes.byref(encoding))
            if outcome == _DONE:
                return jpeg[: encoding.size].tobytes()
            if outcome != _NO_ROOM:
                raise ValueError(f"no JPEG has {width}x{height} pixels at quality {quality}")
            jpeg = np.empty(encoding.size, np.uint8)
            if jpeg.size <= _KEPT_SCRATCH:
                self._jpeg = jpeg

    def sums(self, pixels: NDArray[np.uint8]) -> PixelSums:
        """What `sums_of` gives for every fourth row and column of `pixels`, shape (height, width, 3), in a fifth of the time."""
        pixels = np.ascontiguousarray(pixels, np.uint8)
        height, width, _ = pixels.shape
        sums = (ctypes.c_uint64 * 6)()
        self._sum(ctypes.c_void_p(_address(pixels)), width, height, sums)
        red, green, blue, red2, green2, blue2 = sums
        return PixelSums(-(-height // 4) * -(-width // 4), (red, green, blue), (red2, green2, blue2))


def _address(memory: NDArray[np.uint8]) -> int:
    """`memory.ctypes.data` in half the time, where it may be written to."""
    if memory.size and memory.flags.writeable:
        return ctypes.addressof(ctypes.c_char.from_buffer(memory.data))
    return memory.ctypes.data


def _scratch(size: int) -> NDArray[np.uint8]:
    """Zeros, which the codec takes for nothing kept from an earlier image."""
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size]
