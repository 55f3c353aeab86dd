"""What happened when: a lane for each thing, with spans of time on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shardmill.report.html import Element, Node, element
from shardmill.report.plot.marks import HUES, at_two_widths, drawing, horizontal_axis, label
from shardmill.report.plot.scale import Axis, laid_out

_ROW: Final = 36
_WIDE: Final = 1040
_NARROW: Final = 340


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, in the unit of the axis."""

    start: float
    end: float
    tip: str
    hue: int = 0


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of the timeline."""

    name: str
    spans: tuple[Span, ...]


def timeline(lanes: Sequence[Lane], axis: Axis, *, description: str) -> Element:
    """Draw `lanes` below each other over one axis of time."""
    return at_two_widths(*(_drawn(lanes, axis, description, width) for width in (_WIDE, _NARROW)))


def _drawn(lanes: Sequence[Lane], axis: Axis, description: str, width: int) -> Element:
    times = [time for lane in lanes for span in lane.spans for time in (span.start, span.end)]
    scale = laid_out(axis, times, 8, width - 24, count=max(3, round(width / 120)))
    bottom = _ROW * len(lanes) + 6
    parts: list[Node] = horizontal_axis(scale, bottom, axis.label, grid_to=0)
    for number, lane in enumerate(lanes):
        top = _ROW * number
        parts.append(label(lane.name, 8, top + 14, class_="name", room=width - 24))
        for span in lane.spans:
            start, end = scale.place(span.start), scale.place(span.end)
            parts.append(
                element(
                    "rect",
                    x=start,
                    y=top + 19,
                    width=max(1.5, end - start),
                    height=11,
                    rx=1.5,
                    class_=f"bar hue{span.hue % HUES}",
                    data_tip=span.tip,
                )
            )
    return drawing((width, bottom + 44), description, parts)
