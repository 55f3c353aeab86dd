"""The eight EXIF orientations: how stored pixels become upright ones.

Orientation 5 to 8 swap width and height: 5 transpose, 6 a quarter turn clockwise, 7 transverse, 8 counter-clockwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shardmill.image.geometry import Box


def swaps_sides(orientation: int) -> bool:
    """Whether upright width is stored height."""
    return orientation >= 5


def stored_box(box: Box, orientation: int, width: int, height: int) -> Box:
    """`box`, given in an upright image of `width` x `height`, in the coordinates of the stored one."""
    left, top, right, bottom = box
    if orientation in (2, 3, 6, 7):  # x runs backwards
        left, right = width - right, width - left
    if orientation in (3, 4, 7, 8):  # y runs backwards
        top, bottom = height - bottom, height - top
    return (top, left, bottom, right) if swaps_sides(orientation) else (left, top, right, bottom)


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """`pixels`, shape (height, width, 3) as stored, turned upright and contiguous."""
    if orientation == 1:
        return pixels
    if swaps_sides(orientation):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
