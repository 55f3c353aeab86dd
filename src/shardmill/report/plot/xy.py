"""Points with their medians, lines and bands over two axes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shardmill.report.html import Element, Node, element
from shardmill.report.plot.marks import (
    HUES,
    NARROW,
    PANEL,
    WIDE,
    at_two_widths,
    drawing,
    horizontal_axis,
    label,
    marker,
    path,
    room_for,
    vertical_axis,
)
from shardmill.report.plot.scale import Axis, Scale, laid_out


@dataclass(frozen=True, slots=True)
class Mark:
    """One value."""

    x: float
    y: float
    tip: str
    """Shown when it is pointed at."""


@dataclass(frozen=True, slots=True)
class Series:
    """What is drawn in one colour."""

    name: str
    hue: int
    points: tuple[Mark, ...] = ()
    """Single measurements, small."""
    medians: tuple[Mark, ...] = ()
    """What stands for several, large."""
    line: tuple[tuple[float, float], ...] = ()
    band: tuple[tuple[float, float, float], ...] = ()
    """x, low and high of an interval around the line."""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line with words: a ceiling, a deadline."""

    y: float
    text: str


def xy_plot(
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    *,
    description: str,
    title: str = "",
    levels: Sequence[Level] = (),
    size: tuple[float, float] = PANEL,
    y_values: Sequence[float] = (),
    dodge: float = 2.5,
) -> Element:
    """Draw `series` in one frame.

    Args:
        series: Drawn in order, bands below all lines and lines below all points.
        x: The horizontal axis.
        y: The vertical one.
        description: What is to be seen, in words, for those who do not see it.
        title: Above the frame, for one panel of several.
        levels: Horizontal lines with their words.
        size: Width and height in pixels.
        y_values: Further values that must have a place, so that several panels share an axis.
        dodge: Pixels between the points of neighbouring series that stand at the same x.
    """
    width, height = size
    top = 40 if title else 26
    heights = [*_heights(series), *(level.y for level in levels), *y_values]
    down = laid_out(y, heights, height - 44, top, count=5)
    left = room_for(down.ticks)
    across = laid_out(x, _places(series), left, width - 10, count=max(3, round(width / 110)))
    parts: list[Node] = [label(title, 0, 12, class_="name")] if title else []
    parts += vertical_axis(down, left, width - 10, y.label)
    parts += horizontal_axis(across, height - 44, x.label)
    for level in levels:
        at = down.place(level.y)
        parts.append(element("line", x1=left, x2=width - 10, y1=at, y2=at, class_="level"))
        parts.append(label(level.text, width - 12, at - 5, anchor="end", class_="levelname"))
    shifts = [dodge * (number - (len(series) - 1) / 2) for number in range(len(series))]
    for layer in (_bands, _lines):
        for one in series:
            parts += layer(one, across, down)
    for one, shift in zip(series, shifts, strict=True):
        parts += [_mark(point, one.hue, across, down, shift, 2.2, "point") for point in one.points]
    for one, shift in zip(series, shifts, strict=True):
        parts += [_mark(point, one.hue, across, down, shift, 4.2, "median") for point in one.medians]
    return drawing(size, description, parts)


def xy_figure(
    series: Sequence[Series], x: Axis, y: Axis, *, description: str, levels: Sequence[Level] = (), dodge: float = 2.5
) -> Element:
    """`xy_plot` over the whole width of the page, drawn anew for narrow ones."""
    wide, narrow = (
        xy_plot(series, x, y, description=description, levels=levels, size=size, dodge=dodge) for size in (WIDE, NARROW)
    )
    return at_two_widths(wide, narrow)


def _heights(series: Sequence[Series]) -> Iterator[float]:
    for one in series:
        yield from (mark.y for mark in (*one.points, *one.medians))
        yield from (y for _, y in one.line)
        if not one.points and not one.medians:  # a wide band must not flatten the points it belongs to
            yield from (bound for _, *bounds in one.band for bound in bounds)


def _places(series: Sequence[Series]) -> Iterator[float]:
    for one in series:
        yield from (mark.x for mark in (*one.points, *one.medians))
        yield from (x for x, _ in one.line)
        yield from (x for x, _, _ in one.band)


def _bands(one: Series, across: Scale, down: Scale) -> list[Node]:
    if len(one.band) < 2:
        return []
    upper = [(across.place(x), down.clipped(high)) for x, _, high in one.band]
    lower = [(across.place(x), down.clipped(low)) for x, low, _ in reversed(one.band)]
    return [path([*upper, *lower], f"band hue{one.hue % HUES}", closed=True)]


def _lines(one: Series, across: Scale, down: Scale) -> list[Node]:
    points = [(across.place(x), down.clipped(y)) for x, y in one.line if math.isfinite(y)]
    return [path(points, f"line hue{one.hue % HUES}{' dashed' if one.dashed else ''}")] if len(points) > 1 else []


def _mark(point: Mark, hue: int, across: Scale, down: Scale, shift: float, radius: float, kind: str) -> Node:
    return marker(hue, across.place(point.x) + shift, down.place(point.y), radius, class_=kind, tip=point.tip)
