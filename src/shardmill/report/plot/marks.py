"""What all plots share: hues with their markers, axes, text, and the tips that appear when a mark is pointed at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from shardmill.report.html import Element, Node, element
from shardmill.report.plot.scale import Scale, tick_labels
from shardmill.units import printable

HUES: Final = 6
"""Colours of the page's style, each with a marker of its own for those who do not see colours, and for print."""
HUE_OF: Final = {"tfrecord": 0, "webdataset": 1, "parquet": 2, "files": 3}
"""The same format has the same colour everywhere on the page."""

PANEL: Final = (340, 250)
WIDE: Final = (1040, 380)
NARROW: Final = (340, 300)


def marker(hue: int, x: float, y: float, radius: float, *, class_: str, tip: str | None = None) -> Element:
    """The marker of `hue` around (x, y): circle, square, triangle, diamond, cross or ring."""
    shape = hue % HUES
    classes = f"{class_} hue{shape}"
    if shape in (0, 5):
        return element("circle", cx=x, cy=y, r=radius, class_=classes + (" hollow" if shape == 5 else ""), data_tip=tip)
    corners: Sequence[tuple[float, float]]
    if shape == 1:
        side = radius * 0.88
        corners = ((-side, -side), (side, -side), (side, side), (-side, side))
    elif shape == 2:
        corners = tuple(
            (1.25 * radius * math.sin(turn), -1.25 * radius * math.cos(turn))
            for turn in (0, 2 * math.pi / 3, 4 * math.pi / 3)
        )
    elif shape == 3:
        corners = ((0, -1.3 * radius), (1.3 * radius, 0), (0, 1.3 * radius), (-1.3 * radius, 0))
    else:
        arm, half = radius * 1.2, radius * 0.4
        corners = (
            (-half, -arm), (half, -arm), (half, -half), (arm, -half), (arm, half), (half, half),
            (half, arm), (-half, arm), (-half, half), (-arm, half), (-arm, -half), (-half, -half),
        )  # fmt: skip
    points = " ".join(f"{x + dx:.2f},{y + dy:.2f}" for dx, dy in corners)
    return element("polygon", points=points, class_=classes, data_tip=tip)


def label(
    text: str, x: float, y: float, *, anchor: str = "start", class_: str = "tick", room: float | None = None
) -> Element:
    """Text whose baseline is at (x, y), shortened in its middle where it would take more than about `room` pixels."""
    text = printable(text)
    if room is not None and len(text) > (most := max(4, int(room / 6.7))):
        text = f"{text[: most // 2]}\u2026{text[len(text) - (most - most // 2 - 1) :]}"
    return element("text", text, x=x, y=y, text_anchor=anchor, class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str, *, closed: bool = False) -> Element:
    """A line through `points`, in pixels."""
    steps = "L".join(f"{x:.2f} {y:.2f}" for x, y in points)
    return element("path", d=f"M{steps}{'Z' if closed else ''}", class_=class_)


def horizontal_axis(scale: Scale, y: float, title: str, *, grid_to: float | None = None) -> list[Node]:
    """Ticks and title below the line at `y`; with `grid_to`, lines up to there. Labels that would collide are left out."""
    parts: list[Node] = [element("line", x1=scale.first, x2=scale.last, y1=y, y2=y, class_="axis")]
    free = -math.inf
    for tick, text in zip(scale.ticks, tick_labels(scale.ticks), strict=True):
        x = scale.place(tick)
        if grid_to is not None:
            parts.append(element("line", x1=x, x2=x, y1=y, y2=grid_to, class_="grid"))
        parts.append(element("line", x1=x, x2=x, y1=y, y2=y + 4, class_="axis"))
        half = 3.4 * len(text)
        if x - half >= free:
            parts.append(label(text, x, y + 17, anchor="middle"))
            free = x + half + 4
    parts.append(label(title, (scale.first + scale.last) / 2, y + 34, anchor="middle", class_="title"))
    return parts


def vertical_axis(scale: Scale, left: float, right: float, title: str) -> list[Node]:
    """Ticks left of `left`, lines from there to `right`, and the title above."""
    parts: list[Node] = [label(title, 0, scale.last - 12, class_="title")]
    for tick, text in zip(scale.ticks, tick_labels(scale.ticks), strict=True):
        y = scale.place(tick)
        parts.append(element("line", x1=left, x2=right, y1=y, y2=y, class_="axis" if tick == 0 else "grid"))
        parts.append(label(text, left - 7, y + 4, anchor="end"))
    return parts


def room_for(scale_ticks: Sequence[float]) -> float:
    """Pixels that the labels of a vertical axis take."""
    return 6.6 * max((len(text) for text in tick_labels(scale_ticks)), default=1) + 12


def drawing(size: tuple[float, float], description: str, parts: Sequence[Node], *, class_: str = "") -> Element:
    """The SVG of `parts`; `description` says in words what it shows."""
    width, height = size
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=description,
        class_=f"plot {class_}".strip(),
        tabindex=0,
    )


def at_two_widths(wide: Element, narrow: Element) -> Element:
    """One plot drawn for wide and for narrow pages; the page shows the one that fits."""
    return element("div", element("div", wide, class_="wide"), element("div", narrow, class_="narrow"))


def legend(entries: Sequence[tuple[str, int]], notes: Sequence[str] = ()) -> Element:
    """Names with the markers of their hues."""
    items = [
        element(
            "li",
            element(
                "svg", marker(hue, 7, 7, 4.6, class_="median"), viewBox="0 0 14 14", aria_hidden="true", class_="key"
            ),
            name,
        )
        for name, hue in entries
    ]
    return element("ul", *items, *(element("li", text, class_="soft") for text in notes), class_="legend")
