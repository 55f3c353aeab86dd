"""The contact sheet: pictures by class on quiet paper, with the facts around them.

Everything is laid out in points and drawn at `SCALE` pixels a point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw

from shardmill.operations.show.typography import fitted, typeset

SCALE: Final = 2
THUMB: Final = 108
"""Height of every picture, in points."""
_GAP: Final = 8
_MARGIN: Final = 48
_GUTTER: Final = 172
_CONTENT: Final = 8 * THUMB + 7 * _GAP
WIDTH: Final = _MARGIN + _GUTTER + _CONTENT + _MARGIN
"""Width of the sheet, in points."""
WIDEST: Final = 2.6
"""Of an image's width over its height; what is wider is made less high than the others."""
_NARROWEST: Final = 0.45
_MOST_FAILURES: Final = 8
_MOST_ROWS: Final = 12

_PAPER: Final = (251, 250, 248)
_INK: Final = (32, 34, 38)
_SOFT: Final = (122, 124, 130)
_RULE: Final = (226, 224, 219)
_ACCENT: Final = (66, 122, 98)
_WARNING: Final = (178, 66, 48)
_CHANNELS: Final = ((196, 76, 66), (84, 148, 88), (72, 112, 182))


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of the sheet."""

    group: int
    """Number of its `Group`."""
    picture: Image.Image
    """RGB, of any size; it is scaled to `THUMB` points of height."""


@dataclass(frozen=True, slots=True)
class Group:
    """The pictures of one class."""

    name: str
    count: int | None
    """Images of the class in the whole set, where that is known."""


@dataclass(frozen=True, slots=True)
class SheetFacts:
    """The words around the pictures."""

    title: str
    summary: str
    groups: tuple[Group, ...]
    """Empty: the set has no classes, and the pictures follow each other."""
    details: tuple[tuple[str, str], ...] = ()
    """Headings and texts at the foot."""
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    """Channel mean and standard deviation, R G B, 0 to 1."""
    failures: tuple[tuple[str, str], ...] = ()
    """Names of inputs that were not written and why; as many as are known here."""
    failed: int = 0
    """How many there are in all."""
    failed_heading: str = ""


def thumbnail(picture: Image.Image) -> Image.Image:
    """`picture` at the height of the sheet's rows, in pixels; what is very wide or tall is fitted and not cut."""
    height = THUMB * SCALE
    aspect = picture.width / picture.height
    if aspect > WIDEST:
        size = (round(WIDEST * height), max(1, round(WIDEST * height / aspect)))
    else:
        size = (max(1, round(height * aspect)), height)
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def contact_sheet(tiles: Sequence[Tile], facts: SheetFacts) -> Image.Image:
    """Draw the sheet, `WIDTH` * `SCALE` pixels wide and as high as it must be."""
    pictures = [(tile.group, thumbnail(tile.picture)) for tile in tiles]
    captions = _wants_captions(pictures, facts)
    body = _Body.of_captions(pictures, facts) if captions else _Body.of_rows(pictures, facts)
    head = 122
    failures = min(len(facts.failures), _MOST_FAILURES)
    failure_lines = failures + (1 if facts.failed > failures else 0)
    foot = _foot_height(facts) + (40 + failure_lines * 20 if facts.failed else 0) + 36
    sheet = Image.new("RGB", (WIDTH * SCALE, math.ceil(head + body.height + foot) * SCALE), _PAPER)
    pen = _Pen(sheet)
    _draw_head(pen, facts)
    body.draw(pen, head)
    if not pictures:
        pen.text((_MARGIN, head + 40), "No image to show.", 17, _SOFT)
    y = head + body.height + 16
    _draw_foot(pen, facts, y)
    if facts.failed:
        _draw_failures(pen, facts, y + _foot_height(facts))
    return sheet


def _wants_captions(pictures: Sequence[tuple[int, Image.Image]], facts: SheetFacts) -> bool:
    """Many classes with a picture or two each: names under the pictures, not a row for each."""
    shown = len({group for group, _ in pictures})
    return not facts.groups or shown > _MOST_ROWS or (shown > 6 and len(pictures) < 3 * shown)


class _Pen:
    """Draws in points on a sheet of pixels."""

    def __init__(self, sheet: Image.Image) -> None:
        self.sheet = sheet
        self._draw = ImageDraw.Draw(sheet)

    def text(
        self,
        at: tuple[float, float],
        text: str,
        size: float,
        colour: tuple[int, int, int] = _INK,
        width: float = WIDTH,
        *,
        anchor: str = "ls",
        heavy: bool = False,
        middle: bool = False,
    ) -> float:
        """Text on the baseline at `at`; returns its width in points."""
        text, face = fitted(text, round(size * SCALE), width * SCALE, middle=middle)
        spot = (at[0] * SCALE, at[1] * SCALE)
        stroke = 1 if heavy else 0
        self._draw.text(spot, text, font=face, fill=colour, anchor=anchor, stroke_width=stroke, stroke_fill=colour)
        return face.getlength(text) / SCALE

    def rule(self, y: float, left: float = _MARGIN, right: float = WIDTH - _MARGIN) -> None:
        self.box((left, y, right, y + 1 / SCALE), _RULE)

    def box(self, box: tuple[float, float, float, float], colour: tuple[int, int, int], radius: float = 0) -> None:
        left, top, right, bottom = (round(edge * SCALE) for edge in box)
        area = (left, top, max(left, right - 1), max(top, bottom - 1))
        if radius:
            self._draw.rounded_rectangle(area, radius * SCALE, fill=colour)
        else:
            self._draw.rectangle(area, fill=colour)

    def picture(self, at: tuple[float, float], picture: Image.Image) -> None:
        """A picture with slightly rounded corners; a flat one sits in the middle of its row."""
        mask = Image.new("L", (picture.width * 3, picture.height * 3))
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), 3 * 3 * SCALE, fill=255)
        mask = mask.resize(picture.size, Image.Resampling.BOX)
        drop = (THUMB * SCALE - picture.height) // 2
        self.sheet.paste(picture, (round(at[0] * SCALE), round(at[1] * SCALE) + drop), mask)


@dataclass(frozen=True, slots=True)
class _Body:
    """Where the pictures and their words go; y counts from the top of the body, in points."""

    height: float
    pictures: tuple[tuple[float, float, Image.Image], ...]
    labels: tuple[tuple[float, Group], ...] = ()
    captions: tuple[tuple[float, float, float, str], ...] = ()
    most: int = 0

    @classmethod
    def of_rows(cls, pictures: Sequence[tuple[int, Image.Image]], facts: SheetFacts) -> _Body:
        placed: list[tuple[float, float, Image.Image]] = []
        labels: list[tuple[float, Group]] = []
        y = 0.0
        for number in sorted({group for group, _ in pictures}):
            labels.append((y, facts.groups[number]))
            x = 0.0
            for picture in (picture for group, picture in pictures if group == number):
                width = _cell(picture)
                if x > 0 and x + width > _CONTENT + 0.5:
                    x, y = 0.0, y + THUMB + _GAP
                placed.append((_MARGIN + _GUTTER + x + (width - picture.width / SCALE) / 2, y, picture))
                x += width + _GAP
            y += THUMB + _GAP + 10
        return cls(y, tuple(placed), tuple(labels), most=max((group.count or 0 for group in facts.groups), default=0))

    @classmethod
    def of_captions(cls, pictures: Sequence[tuple[int, Image.Image]], facts: SheetFacts) -> _Body:
        placed: list[tuple[float, float, Image.Image]] = []
        captions: list[tuple[float, float, float, str]] = []
        step = THUMB + (26 if facts.groups else _GAP)
        x, y = 0.0, 0.0
        for group, picture in pictures:
            width = _cell(picture)
            if x > 0 and x + width > WIDTH - 2 * _MARGIN + 0.5:
                x, y = 0.0, y + step
            placed.append((_MARGIN + x + (width - picture.width / SCALE) / 2, y, picture))
            if facts.groups:
                captions.append((_MARGIN + x, y + THUMB + 15, width, facts.groups[group].name))
            x += width + _GAP
        return cls(y + step + 10, tuple(placed), captions=tuple(captions))

    def draw(self, pen: _Pen, top: float) -> None:
        for x, y, picture in self.pictures:
            pen.picture((x, top + y), picture)
        for x, y, width, name in self.captions:
            pen.text((x, top + y), name, 10.5, _SOFT, width)
        for y, group in self.labels:
            pen.text((_MARGIN, top + y + 18), group.name, _name_size(group.name), _INK, _GUTTER - 24, heavy=True)
            if group.count is not None:
                pen.text((_MARGIN, top + y + 38), f"{group.count:,}", 13, _SOFT)
                share = group.count / self.most if self.most else 0
                pen.box((_MARGIN, top + y + 50, _MARGIN + 96, top + y + 53), _RULE, 1.5)
                if share:
                    pen.box((_MARGIN, top + y + 50, _MARGIN + max(3.0, 96 * share), top + y + 53), _ACCENT, 1.5)


def _name_size(name: str) -> float:
    """The size, in points, at which a class name fits beside its pictures; the smallest for one that never does."""
    for size in (17, 14):
        text, face = typeset(name, size * SCALE)
        if face.getlength(text) <= (_GUTTER - 24) * SCALE:
            return size
    return 11.5


def _cell(picture: Image.Image) -> float:
    return max(picture.width / SCALE, _NARROWEST * THUMB)


def _draw_head(pen: _Pen, facts: SheetFacts) -> None:
    mark = pen.text((WIDTH - _MARGIN, 58), "shardmill", 13, _ACCENT, anchor="rs")
    pen.text((_MARGIN, 58), facts.title, 32, _INK, WIDTH - 2 * _MARGIN - mark - 32, heavy=True, middle=True)
    pen.text((_MARGIN, 84), facts.summary, 14, _SOFT, WIDTH - 2 * _MARGIN)
    pen.rule(101)


_COLUMNS: Final = 3


def _foot_height(facts: SheetFacts) -> float:
    cells = len(facts.details) + (1 if facts.mean else 0)
    return math.ceil(cells / _COLUMNS) * 58 + 14


def _draw_foot(pen: _Pen, facts: SheetFacts, top: float) -> None:
    if not facts.details and facts.mean is None:
        return
    pen.rule(top)
    width = (WIDTH - 2 * _MARGIN) / _COLUMNS
    spots = [
        (_MARGIN + number % _COLUMNS * width, top + 30 + number // _COLUMNS * 58)
        for number in range(len(facts.details) + 1)
    ]
    if facts.mean is not None:
        _draw_channels(pen, spots.pop(0), facts.mean, facts.std)
    for (x, y), (heading, text) in zip(spots, facts.details, strict=False):
        pen.text((x, y), heading, 11, _SOFT)
        pen.text((x, y + 20), text, 13.5, _INK, width - 28)


def _draw_channels(
    pen: _Pen, at: tuple[float, float], mean: tuple[float, float, float], std: tuple[float, float, float] | None
) -> None:
    """Mean and standard deviation as numbers and, left of them, the mean colour of the set."""
    x, y = at
    red, green, blue = (round(255 * value) for value in mean)
    pen.box((x, y - 9, x + 30, y + 21), (red, green, blue), 4)
    for row, (name, values) in enumerate((("mean", mean), ("std", std))):
        if values is None:
            continue
        base = y + 2 + row * 18
        pen.text((x + 42, base), name, 11, _SOFT)
        for column, value in enumerate(values):
            left = x + 80 + column * 58
            pen.box((left, base - 8, left + 4, base), _CHANNELS[column], 2)
            pen.text((left + 9, base), f"{value:.3f}", 13.5, _INK)


def _draw_failures(pen: _Pen, facts: SheetFacts, top: float) -> None:
    pen.rule(top)
    pen.text((_MARGIN, top + 26), facts.failed_heading, 13.5, _WARNING, _GUTTER - 16)
    left, right = _MARGIN + _GUTTER, WIDTH - _MARGIN
    y = top + 26
    for key, reason in facts.failures[:_MOST_FAILURES]:
        pen.text((left, y), key, 12.5, _INK, 400, middle=True)
        pen.text((left + 416, y), reason, 12.5, _SOFT, right - left - 416)
        y += 20
    hidden = facts.failed - min(len(facts.failures), _MOST_FAILURES)
    if hidden > 0:
        pen.text((left, y), f"and {hidden:,} more", 12.5, _SOFT)
