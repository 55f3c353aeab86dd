"""Sums of pixel values, exact whatever the order they are added in."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shardmill.image.base import PixelSums

_UINT32_PIXELS: Final = 2**32 // 255**2  # whose squares add up in 32 bits


def sums_of(sampled: NDArray[np.uint8]) -> PixelSums:
    """Sums over `sampled`, shape (height, width, 3): every fourth row and column of a result."""
    count = sampled.shape[0] * sampled.shape[1]
    kind = np.dtype(np.uint32 if count <= _UINT32_PIXELS else np.uint64)
    channels = np.ascontiguousarray(sampled.transpose(2, 0, 1), dtype=kind).reshape(3, count)
    red, green, blue = (int(total) for total in channels.sum(axis=1, dtype=np.uint64))
    red2, green2, blue2 = (int(total) for total in np.einsum("ij,ij->i", channels, channels))
    return PixelSums(count, (red, green, blue), (red2, green2, blue2))


def added(sums: Iterable[PixelSums]) -> PixelSums:
    """All of `sums` together."""
    count, totals, squares = 0, [0, 0, 0], [0, 0, 0]
    for one in sums:
        count += one.count
        for channel in range(3):
            totals[channel] += one.total[channel]
            squares[channel] += one.total_of_squares[channel]
    return PixelSums(count, (totals[0], totals[1], totals[2]), (squares[0], squares[1], squares[2]))


def channel_facts(sums: PixelSums) -> dict[str, Any]:
    """Mean and standard deviation of each channel on the scale 0 to 1, and the pixels they are of, as a manifest has it."""
    pixels = sums.count
    if not pixels:
        return {"mean": [0.0] * 3, "std": [0.0] * 3, "pixels": 0}
    moments = list(zip(sums.total, sums.total_of_squares, strict=True))
    variances = [(squares * pixels - total * total) / pixels**2 for total, squares in moments]
    return {
        "mean": [round(total / pixels / 255, 6) for total, _ in moments],
        "std": [round(math.sqrt(variance) / 255, 6) for variance in variances],
        "pixels": pixels,
    }
