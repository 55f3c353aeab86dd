"""Where each pixel of the result comes from: sizes and boxes, no pixels.

Coordinates are in pixels, from the top left corner of the upright image; boxes are left, top, right, bottom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from shardmill.image.base import ImageSpec, Refused

Box = tuple[float, float, float, float]
MAX_SIDE: Final = 65_500
"""Longest side, in pixels, that a JPEG encoder takes."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """What becomes of one image."""

    width: int
    """Of the result, with any border."""
    height: int
    content_width: int
    """Of the resized part of the result, without the border."""
    content_height: int
    left: int
    """Where the content begins in the result."""
    top: int
    crop: Box
    """What of the upright source is kept."""
    resized: bool
    """False: the content is the crop box, which then lies on whole pixels, unchanged."""
    bordered: bool


def plan_geometry(width: int, height: int, spec: ImageSpec) -> Geometry:
    """The geometry of an upright image of `width` x `height`, both at least 1."""
    mode = spec.resize_mode
    if mode == "no":
        return _uncropped(width, height, 1.0)
    to_width, to_height = spec.width / width, spec.height / height
    covering = mode in ("center_crop", "keep_ratio")
    scale = max(to_width, to_height) if covering else min(to_width, to_height)
    if spec.resize_only_if_bigger:
        scale = min(scale, 1.0)
    if mode == "center_crop":
        return _center_crop(width, height, scale, spec)
    fitted = _uncropped(width, height, scale)
    if mode != "border":
        return fitted
    left, top = (spec.width - fitted.width) // 2, (spec.height - fitted.height) // 2
    return Geometry(
        width=spec.width,
        height=spec.height,
        content_width=fitted.width,
        content_height=fitted.height,
        left=left,
        top=top,
        crop=fitted.crop,
        resized=fitted.resized,
        bordered=(fitted.width, fitted.height) != (spec.width, spec.height),
    )


def filtered_out(width: int, height: int, spec: ImageSpec) -> Refused | None:
    """The filters of `spec` on an upright size, and the sizes that no JPEG can have."""
    shorter, longer = sorted((width, height))
    if shorter < spec.min_size:
        return Refused("skipped", "below_min_size", f"{width}x{height}: the shorter side is below {spec.min_size}")
    if spec.max_area is not None and width * height > spec.max_area:
        return Refused("skipped", "above_max_area", f"{width}x{height} is more than {spec.max_area} pixels")
    if spec.max_aspect is not None and longer > spec.max_aspect * shorter:
        return Refused(
            "skipped", "above_max_aspect", f"{width}x{height}: sides differ more than {spec.max_aspect:g} times"
        )
    return None


def too_large(geometry: Geometry, spec: ImageSpec) -> Refused | None:
    """A long thin image, made to fill the target, may grow beyond what a JPEG or the pixel limit holds."""
    width, height = geometry.width, geometry.height
    if max(width, height) > MAX_SIDE or width * height > spec.max_pixels:
        return Refused("failed", "result_too_large", f"resizing would give {width}x{height} pixels")
    return None


def _center_crop(width: int, height: int, scale: float, spec: ImageSpec) -> Geometry:
    result_width, result_height = min(spec.width, _side(width, scale)), min(spec.height, _side(height, scale))
    if scale == 1.0:  # whole pixels: half a pixel of shift would only blur
        kept_width, kept_height = float(result_width), float(result_height)
        left, top = float((width - result_width) // 2), float((height - result_height) // 2)
    else:  # integers first, so that the side that is kept whole is kept exactly
        kept_width = width if width * spec.height <= height * spec.width else height * spec.width / spec.height
        kept_height = height if height * spec.width <= width * spec.height else width * spec.height / spec.width
        left, top = (width - kept_width) / 2, (height - kept_height) / 2
    crop = (left, top, left + kept_width, top + kept_height)
    return _filled(result_width, result_height, crop, resized=scale != 1.0)


def _uncropped(width: int, height: int, scale: float) -> Geometry:
    result_width, result_height = _side(width, scale), _side(height, scale)
    crop = (0.0, 0.0, float(width), float(height))
    return _filled(result_width, result_height, crop, resized=(result_width, result_height) != (width, height))


def _filled(width: int, height: int, crop: Box, *, resized: bool) -> Geometry:
    """A result that its content fills to the edges."""
    return Geometry(
        width=width,
        height=height,
        content_width=width,
        content_height=height,
        left=0,
        top=0,
        crop=crop,
        resized=resized,
        bordered=False,
    )


def _side(length: int, scale: float) -> int:
    return max(1, math.floor(length * scale + 0.5))
