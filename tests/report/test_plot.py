from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardmill.report.html import Element, Node, write
from shardmill.report.plot.bars import Bar, bars
from shardmill.report.plot.scale import Axis, laid_out, round_ticks, tick_labels
from shardmill.report.plot.timeline import Lane, Span, timeline
from shardmill.report.plot.xy import Mark, Series, xy_plot

finite = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False)


def below(node: Node) -> list[Element]:
    return (
        [] if isinstance(node, str) else [node, *itertools.chain.from_iterable(below(child) for child in node.children)]
    )


def marks(node: Node, kind: str) -> list[dict[str, str]]:
    return [dict(one.attributes) for one in below(node) if kind in dict(one.attributes).get("class", "").split()]


@given(st.lists(finite, min_size=1, max_size=20), st.booleans())
def test_every_value_has_a_place_on_a_linear_axis(values: list[float], from_zero: bool) -> None:
    scale = laid_out(Axis("x", from_zero=from_zero), values, 0, 100)
    assert all(-1e-6 <= scale.place(value) <= 100 + 1e-6 for value in values)
    assert list(scale.ticks) == sorted(set(scale.ticks))
    if from_zero:
        assert scale.low <= 0 <= scale.high


@given(st.lists(st.floats(min_value=1e-6, max_value=1e9), min_size=1, max_size=20))
def test_every_value_has_a_place_on_a_logarithmic_axis(values: list[float]) -> None:
    scale = laid_out(Axis("x", "log"), values, 0, 100)
    assert all(-1e-6 <= scale.place(value) <= 100 + 1e-6 for value in values)


def test_ticks() -> None:
    assert round_ticks(0, 5700, 5) == (0, 2000, 4000, 6000)
    assert tick_labels(round_ticks(0, 0.031, 5)) == ["0.00", "0.01", "0.02", "0.03", "0.04"]
    assert tick_labels((0, 2.5, 5)) == ["0.0", "2.5", "5.0"]
    assert tick_labels((-1000, 0, 1000)) == ["\u22121,000", "0", "1,000"]
    scale = laid_out(Axis("batch", "log", ticks=(2, 4, 8)), (2, 8), 0, 100)
    assert scale.place(4) == pytest.approx(50)


def test_a_point_stands_where_its_value_is() -> None:
    low, high = Mark(1, 0, "low"), Mark(2, 100, "high")
    plot = xy_plot(
        [Series("a", 0, (low, high))], Axis("x"), Axis("y", from_zero=True), description="d", size=(340, 250)
    )
    first, second = marks(plot, "point")
    assert (first["data-tip"], second["data-tip"]) == ("low", "high")
    assert float(first["cy"]) == 250 - 44
    assert float(second["cy"]) == 26
    assert float(first["cx"]) < float(second["cx"]) <= 330


def test_series_differ_in_colour_and_shape() -> None:
    all_series = [Series(str(hue), hue, (), (Mark(1, hue, ""),)) for hue in range(6)]
    shapes = marks(xy_plot(all_series, Axis("x"), Axis("y"), description="d"), "median")
    assert len({shape["class"] for shape in shapes}) == 6
    assert len({outline(shape) for shape in shapes}) == 6


def outline(shape: dict[str, str]) -> str:
    """The shape itself, wherever it stands."""
    if "points" not in shape:
        return "ring" if "hollow" in shape["class"] else "disc"
    corners = [tuple(map(float, corner.split(","))) for corner in shape["points"].split()]
    return " ".join(f"{x - corners[0][0]:.1f},{y - corners[0][1]:.1f}" for x, y in corners)


def test_bands_outside_the_points_are_cut_at_the_frame() -> None:
    one = Series("a", 0, (Mark(1, 5, ""), Mark(2, 6, "")), (), ((1, 5), (2, 6)), ((1, -1e6, 1e6), (2, -1e6, 1e6)))
    plot = xy_plot([one], Axis("x"), Axis("y", from_zero=True), description="d")
    heights = [float(pair.split()[1]) for pair in marks(plot, "band")[0]["d"].strip("MZ").split("L")]
    assert 26 <= min(heights) <= max(heights) <= 250 - 44


def test_bars_are_as_long_as_their_values() -> None:
    drawn = bars([Bar("a", 2, "2"), Bar("b", 4, "4", (3, 5)), Bar("nothing", 0, "0")], description="d")
    wide = marks(drawn, "bar")[:3]
    a, b, nothing = (float(bar["width"]) for bar in wide)
    assert b == pytest.approx(2 * a, rel=0.01)
    assert nothing == 1
    assert len(marks(drawn, "whisker")) == 2 * 3
    assert marks(drawn, "bar")[0]["data-tip"] == "a: 2"


def test_long_names_leave_room_for_the_value() -> None:
    text = write(bars([Bar("a name that goes on and on " * 5, 1, "1")], description="d"))
    assert "\u2026" in text


def test_spans_follow_each_other() -> None:
    drawn = timeline([Lane("a", (Span(0, 10, "one"), Span(10, 30, "two", 1)))], Axis("seconds"), description="d")
    one, two = marks(drawn, "bar")[:2]
    assert float(two["width"]) == pytest.approx(2 * float(one["width"]), rel=0.01)
    assert float(one["x"]) + float(one["width"]) == pytest.approx(float(two["x"]), abs=0.02)


@pytest.mark.parametrize("values", [(), (5.0,), (0.0,), (float("nan"),)])
def test_hardly_any_value(values: tuple[float, ...]) -> None:
    points = tuple(Mark(value, value, "") for value in values if math.isfinite(value))
    assert write(xy_plot([Series("a", 0, points)], Axis("x"), Axis("y"), description="d"))
