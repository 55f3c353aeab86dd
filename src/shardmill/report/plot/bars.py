"""Horizontal bars with intervals, each with its name and value above it, so that they read at any width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shardmill.report.html import Element, Node, element
from shardmill.report.plot.marks import HUES, at_two_widths, drawing, label
from shardmill.report.plot.scale import Axis, laid_out

_ROW: Final = 40
_WIDE: Final = 1040
_NARROW: Final = 340


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar."""

    name: str
    value: float
    text: str
    """The value as people read it."""
    interval: tuple[float, float] | None = None
    hue: int = 0
    tip: str = ""
    """By default its name and text."""


def bars(entries: Sequence[Bar], *, description: str, line_at: float | None = None) -> Element:
    """Bars from zero, in the order given, with their 95% intervals as whiskers.

    Args:
        entries: The bars.
        description: What is to be seen, in words.
        line_at: Where to draw a line through all bars, such as 1 for ratios.
    """
    return at_two_widths(*(_drawn(entries, description, line_at, width) for width in (_WIDE, _NARROW)))


def _drawn(entries: Sequence[Bar], description: str, line_at: float | None, width: int) -> Element:
    ends = [bound for entry in entries for bound in (entry.value, *(entry.interval or ()))]
    if line_at is not None:
        ends.append(line_at)
    scale = laid_out(Axis("", from_zero=True), ends, 1, width - 1)
    zero = scale.place(0)
    height = _ROW * len(entries) + 4
    parts: list[Node] = []
    for number, entry in enumerate(entries):
        top = _ROW * number
        tip = entry.tip or f"{entry.name}: {entry.text}"
        end = scale.place(entry.value)
        parts += [
            label(entry.name, 0, top + 14, class_="name", room=width - 7 * len(entry.text) - 12),
            label(entry.text, width, top + 14, anchor="end", class_="value"),
            element(
                "rect",
                x=min(zero, end),
                y=top + 21,
                width=max(1.0, abs(end - zero)),
                height=9,
                rx=1.5,
                class_=f"bar hue{entry.hue % HUES}",
                data_tip=tip,
            ),
        ]
        if entry.interval is not None:
            low, high = (scale.place(bound) for bound in entry.interval)
            middle = top + 25.5
            parts.append(element("line", x1=low, x2=high, y1=middle, y2=middle, class_="whisker"))
            parts += [
                element("line", x1=at, x2=at, y1=middle - 5, y2=middle + 5, class_="whisker") for at in (low, high)
            ]
    if line_at is not None:
        at = scale.place(line_at)
        tops = [_ROW * number + 18 for number in range(len(entries))]
        parts += [element("line", x1=at, x2=at, y1=top, y2=top + 15, class_="level") for top in tops]
    return drawing((width, height), description, parts, class_="bars")
