from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from shardmill.operations.show.sheet import (
    SCALE,
    THUMB,
    WIDEST,
    WIDTH,
    Group,
    SheetFacts,
    Tile,
    contact_sheet,
    thumbnail,
)

Colour = tuple[int, int, int]
VIVID: tuple[Colour, ...] = ((230, 20, 30), (20, 40, 220), (10, 150, 20), (200, 0, 200), (0, 170, 180))


def tile(group: int, colour: Colour, width: int = 64, height: int = 64) -> Tile:
    return Tile(group, Image.new("RGB", (width, height), colour))


def facts(*names: str, count: int | None = 10) -> SheetFacts:
    return SheetFacts("set", "10 images", tuple(Group(name, count) for name in names))


def area(sheet: Image.Image, colour: Colour) -> tuple[int, tuple[int, int, int, int]]:
    """Pixels of about that colour, and the box around them: left, top, right, bottom."""
    near = np.abs(np.asarray(sheet, np.int16) - np.array(colour)).max(axis=2) < 12
    rows, columns = np.nonzero(near)
    return int(near.sum()), (int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max()))


def test_every_picture_is_there_in_full() -> None:
    sheet = contact_sheet([tile(0, colour) for colour in VIVID], facts("daisy"))
    assert sheet.width == WIDTH * SCALE
    boxes = []
    for colour in VIVID:
        pixels, (left, top, right, bottom) = area(sheet, colour)
        side = THUMB * SCALE
        assert side**2 * 0.98 < pixels <= side**2
        assert (right - left + 1, bottom - top + 1) == (side, side)
        boxes.append((left, top, right, bottom))
    assert boxes == sorted(boxes)
    assert all(one[2] < other[0] for one, other in pairwise(boxes))


def test_classes_stand_in_rows_below_each_other() -> None:
    sheet = contact_sheet([tile(0, VIVID[0]), tile(1, VIVID[1]), tile(0, VIVID[2])], facts("daisy", "rose"))
    first, second, third = (area(sheet, colour)[1] for colour in VIVID[:3])
    assert first[1] == third[1]
    assert second[1] > first[3]
    assert second[0] == first[0]


def test_a_full_row_wraps() -> None:
    tiles = [tile(0, (200, 200, 120))] * 8 + [tile(0, VIVID[0])]
    sheet = contact_sheet(tiles, facts("daisy"))
    _, others = area(sheet, (200, 200, 120))
    _, last = area(sheet, VIVID[0])
    assert last[1] > others[3]
    assert last[0] == others[0]


def test_many_classes_get_captions_and_no_row_each() -> None:
    names = [f"class {number}" for number in range(90)]
    sheet = contact_sheet([tile(number, (200, 200, 120)) for number in range(90)], facts(*names))
    rows = contact_sheet([tile(number % 6, (200, 200, 120)) for number in range(90)], facts(*names[:6]))
    per_picture = sheet.height / 90
    assert per_picture < 70
    assert rows.width == sheet.width


def test_captions_of_classes_are_drawn() -> None:
    tiles = [tile(number, VIVID[number % 5]) for number in range(20)]
    named = contact_sheet(tiles, facts(*(f"class {number}" for number in range(20))))
    blank = contact_sheet(tiles, facts(*([""] * 20)))
    assert named.size == blank.size
    assert np.any(np.asarray(named) != np.asarray(blank))


@pytest.mark.parametrize(("width", "height"), [(5000, 2), (2, 5000), (1, 1), (640, 480), (1000, 300)])
def test_thumbnails_fit_whatever_their_shape(width: int, height: int) -> None:
    small = thumbnail(Image.new("RGB", (width, height)))
    assert small.height <= THUMB * SCALE
    assert small.width <= round(WIDEST * THUMB * SCALE)
    assert min(small.size) >= 1
    if 0.1 < width / height < WIDEST:
        assert small.width / small.height == pytest.approx(width / height, rel=0.02)


def test_odd_shapes_do_not_overlap() -> None:
    tiles = [tile(0, VIVID[0], 900, 30), tile(0, VIVID[1], 20, 900), tile(0, VIVID[2], 64, 64)]
    first, second, third = (area(contact_sheet(tiles, facts("odd")), colour)[1] for colour in VIVID[:3])
    assert first[2] < second[0]
    assert second[2] < third[0]


def test_height_grows_by_what_is_told() -> None:
    plain = contact_sheet([tile(0, VIVID[0])], facts("daisy"))
    told = contact_sheet(
        [tile(0, VIVID[0])],
        SheetFacts(
            "set",
            "10 images",
            (Group("daisy", 10),),
            details=(("Copies", "none"),) * 4,
            mean=(0.9, 0.1, 0.5),
            std=(0.2, 0.2, 0.2),
            failures=(("a.jpg", "truncated"),) * 30,
            failed=30,
            failed_heading="30 inputs failed",
        ),
    )
    more = contact_sheet(
        [tile(0, VIVID[0])], SheetFacts("set", "", (Group("daisy", 10),), failures=(("a", "b"),), failed=1)
    )
    assert plain.height < more.height < told.height
    assert area(told, (230, 26, 128))[0] > 1000  # the mean colour
    assert told.getpixel((5, told.height - 5)) == plain.getpixel((5, 5))


def test_a_larger_class_has_a_longer_bar() -> None:
    groups = (Group("daisy", 100), Group("rose", 25), Group("none", 0))
    sheet = contact_sheet([tile(number, VIVID[number]) for number in range(3)], SheetFacts("set", "", groups))
    left = sheet.crop((0, 220, 400, sheet.height))
    green = np.abs(np.asarray(left, np.int16) - np.array((66, 122, 98))).max(axis=2) < 12
    widths = sorted({int(width) for width in green.sum(axis=1)} - {0})
    assert widths[-1] == 96 * SCALE
    assert 24 * SCALE in widths


@pytest.mark.parametrize("name", ["日本の花", "a\nb\x1b[31m", "x" * 5000, "", "\ud83d", "🌻", "\u202egnp.exe"])
def test_any_name_can_be_drawn(name: str) -> None:
    told = SheetFacts(
        name, name, (Group(name, 1),), ((name, name),), failures=((name, name),), failed=1, failed_heading=name
    )
    rows = contact_sheet([tile(0, VIVID[0])], told)
    assert rows.width == WIDTH * SCALE
    assert area(rows, VIVID[0])[0] > (THUMB * SCALE) ** 2 * 0.98  # no name runs over the picture


def test_without_pictures_or_classes() -> None:
    empty = contact_sheet([], SheetFacts("nothing", "0 images", ()))
    flat = contact_sheet([tile(0, colour) for colour in VIVID], SheetFacts("flat", "5 images", ()))
    assert empty.width == flat.width
    assert all(area(flat, colour)[0] > 40_000 for colour in VIVID)


def test_the_same_sheet_again() -> None:
    sheets = [contact_sheet([tile(0, colour) for colour in VIVID], facts("daisy")).tobytes() for _ in range(2)]
    assert sheets[0] == sheets[1]
