from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardmill.image.base import ImageSpec, ResizeMode
from shardmill.image.geometry import filtered_out, plan_geometry, too_large

pytestmark = pytest.mark.oldest
SPEC = ImageSpec(width=200, height=100)
sides = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("mode", "size", "result", "crop"),
    [
        ("center_crop", (400, 400), (200, 100), (0.0, 100.0, 400.0, 300.0)),
        ("center_crop", (403, 101), (200, 100), (100.5, 0.0, 302.5, 101.0)),
        ("center_crop", (401, 100), (200, 100), (100.0, 0.0, 300.0, 100.0)),
        ("center_crop", (50, 50), (200, 100), (0.0, 12.5, 50.0, 37.5)),
        ("border", (400, 400), (200, 100), (0.0, 0.0, 400.0, 400.0)),
        ("keep_ratio", (401, 300), (200, 150), (0.0, 0.0, 401.0, 300.0)),
        ("keep_ratio", (800, 100), (800, 100), (0.0, 0.0, 800.0, 100.0)),
        ("keep_ratio_largest", (400, 400), (100, 100), (0.0, 0.0, 400.0, 400.0)),
        ("keep_ratio_largest", (9000, 2), (200, 1), (0.0, 0.0, 9000.0, 2.0)),
        ("no", (33, 7), (33, 7), (0.0, 0.0, 33.0, 7.0)),
    ],
)
def test_result_and_crop(
    mode: ResizeMode, size: tuple[int, int], result: tuple[int, int], crop: tuple[float, float, float, float]
) -> None:
    geometry = plan_geometry(*size, replace(SPEC, resize_mode=mode))
    assert (geometry.width, geometry.height) == result
    assert geometry.crop == crop


def test_border_is_even() -> None:
    geometry = plan_geometry(400, 400, replace(SPEC, resize_mode="border"))
    assert (geometry.left, geometry.top, geometry.content_width, geometry.content_height) == (50, 0, 100, 100)
    assert geometry.bordered
    assert not plan_geometry(400, 200, replace(SPEC, resize_mode="border")).bordered


@pytest.mark.parametrize("mode", ["center_crop", "border", "keep_ratio", "keep_ratio_largest", "no"])
def test_size_asked_for_is_left_alone(mode: ResizeMode) -> None:
    geometry = plan_geometry(200, 100, replace(SPEC, resize_mode=mode))
    assert not geometry.resized
    assert not geometry.bordered
    assert geometry.crop == (0.0, 0.0, 200.0, 100.0)


@given(
    width=sides, height=sides, only_if_bigger=st.booleans(), mode=st.sampled_from(["center_crop", "keep_ratio_largest"])
)
def test_boxes_lie_inside_and_ratios_are_kept(width: int, height: int, only_if_bigger: bool, mode: ResizeMode) -> None:
    geometry = plan_geometry(width, height, replace(SPEC, resize_mode=mode, resize_only_if_bigger=only_if_bigger))
    left, top, right, bottom = geometry.crop
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert left + right == pytest.approx(width, abs=1)
    assert top + bottom == pytest.approx(height, abs=1)
    assert min(geometry.width, geometry.height) >= 1
    assert geometry.width <= 200
    assert geometry.height <= 100
    # half a pixel of rounding, or a side that cannot be thinner than one pixel
    assert abs(geometry.width * (bottom - top) - geometry.height * (right - left)) <= max(right - left, bottom - top)
    if only_if_bigger:
        assert geometry.width <= width
        assert geometry.height <= height
    if not geometry.resized:
        assert all(edge == int(edge) for edge in geometry.crop)


@given(width=sides, height=sides)
def test_centre_crop_fills_the_target(width: int, height: int) -> None:
    geometry = plan_geometry(width, height, SPEC)
    left, top, right, bottom = geometry.crop
    assert (geometry.width, geometry.height) == (200, 100)
    assert (left, right) == (0, width) or (top, bottom) == (0, height)
    assert (right - left) / (bottom - top) == pytest.approx(2)


def test_filters() -> None:
    spec = ImageSpec(min_size=10, max_area=1000, max_aspect=4.0)
    assert filtered_out(10, 40, spec) is None
    reasons = [refused.reason for size in ((9, 20), (26, 39), (10, 41)) if (refused := filtered_out(*size, spec))]
    assert reasons == ["below_min_size", "above_max_area", "above_max_aspect"]


def test_result_that_no_jpeg_can_hold() -> None:
    spec = ImageSpec(width=256, height=256, resize_mode="keep_ratio")
    assert too_large(plan_geometry(255, 1, spec), spec) is None
    refused = too_large(plan_geometry(257, 1, spec), spec)
    assert refused is not None
    assert refused.reason == "result_too_large"
