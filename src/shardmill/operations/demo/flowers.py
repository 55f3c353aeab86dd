"""Single flowers and leaves as transparent pictures, drawn petal by petal.

length, width    of a petal, in pixels
u                along a petal: 0 at its base, 1 at its tip
v                across a petal: 0 on its midrib, -1 and 1 on its rims
angle            clockwise from straight up, in degrees
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]

SIDE: Final = 400
"""Width and height of a flower's picture, in pixels."""
_CENTRE: Final = SIDE / 2
_GOLDEN_ANGLE: Final = 137.508


@dataclass(frozen=True, slots=True)
class PetalShape:
    """What makes one kind of petal look like itself."""

    base: Colour
    tip: Colour
    swell: float = 0.5
    """Exponent of the outline towards the base: small is broad-shouldered."""
    taper: float = 0.5
    """Exponent of the outline towards the tip: small is round, 1 is pointed."""
    fade: float = 0.8
    """Exponent of the way from the base's colour to the tip's."""
    veins: float = 0.05
    hollow: float = 0.28
    """How much darker the rims are than the middle; negative for petals that curl into the light."""
    rim_light: float = 0.0


def petal(length: int, width: int, shape: PetalShape, wobble: float = 0.0) -> Image.Image:
    """One petal that points up, its base in the middle of the bottom edge."""
    y, x = np.mgrid[0:length, 0:width].astype(np.float32)
    u = 1 - (y + 0.5) / length
    outline = u**shape.swell * (1 - u) ** shape.taper
    half = outline / outline.max() * (width / 2 - 1)
    across = x + 0.5 - width / 2 - wobble * width * 0.12 * np.sin(u * math.pi)
    v = across / np.maximum(half, 0.5)
    alpha = np.clip(half - np.abs(across) + 0.5, 0, 1) * np.clip(u * length / 2, 0, 1)
    mix = (u**shape.fade)[..., None]
    colour = np.asarray(shape.base, np.float32) * (1 - mix) + np.asarray(shape.tip, np.float32) * mix
    light = 1 - shape.hollow * np.clip(np.abs(v), 0, 1) ** 2.2
    light *= 1 + shape.veins * np.cos(v * 11 + wobble * 3) * (1 - 0.6 * u) - shape.veins * np.exp(-((v * 7) ** 2))
    light += shape.rim_light * np.clip((u - 0.8) * 5, 0, 1) ** 2 * (1 - 0.4 * np.abs(v).clip(0, 1))
    light *= 0.62 + 0.38 * np.clip(u * 2.2, 0, 1)
    pixels = np.dstack([np.clip(colour * light[..., None], 0, 255), alpha * 255])
    return Image.fromarray(pixels.astype(np.uint8), "RGBA")


def _place(
    flower: Image.Image, part: Image.Image, angle: float, start: float, shadow: float, at: tuple[float, float]
) -> None:
    """Lay `part`, turned by `angle`, with its base `start` pixels from `at`; its shadow falls 4 pixels below it."""
    turned = part.rotate(-angle, Image.Resampling.BICUBIC, expand=True)
    reach = start + part.height / 2
    left = round(at[0] + reach * math.sin(math.radians(angle)) - turned.width / 2)
    top = round(at[1] - reach * math.cos(math.radians(angle)) - turned.height / 2)
    if shadow > 0:
        dark = turned.getchannel("A").point(lambda level: round(level * shadow)).filter(ImageFilter.BoxBlur(3))
        flower.paste((20, 12, 8), (left + 1, top + 4), _within(dark, flower, left + 1, top + 4))
    flower.alpha_composite(turned, (max(0, left), max(0, top)), (max(0, -left), max(0, -top)))


def _within(mask: Image.Image, flower: Image.Image, left: int, top: int) -> Image.Image:
    """`mask` where the flower already is, so that shadows fall on petals and not on air."""
    below = flower.getchannel("A").crop((left, top, left + mask.width, top + mask.height))
    return Image.composite(mask, Image.new("L", mask.size), below)


def _ring(
    flower: Image.Image,
    rng: np.random.Generator,
    shapes: list[Image.Image],
    count: int,
    start: float,
    turn: float,
    shadow: float,
) -> None:
    order = rng.permutation(count)
    for number in order:
        angle = turn + (number + rng.uniform(-0.3, 0.3)) * 360 / count
        _place(flower, shapes[int(rng.integers(len(shapes)))], angle, start, shadow, (_CENTRE, _CENTRE))


def _dome(
    flower: Image.Image, rng: np.random.Generator, radius: float, rings: list[tuple[float, Colour]], florets: int
) -> None:
    """A round flower head of florets on a golden spiral; `rings` gives colours by share of the radius, inside first."""
    scale = 2
    side = int(radius * 2 + 8) * scale
    head = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(head)
    middle, reach = side / 2, radius * scale
    draw.ellipse(
        (middle - reach, middle - reach, middle + reach, middle + reach), fill=(*_shade(rings[-1][1], 0.55), 255)
    )
    stops = np.array([stop for stop, _ in rings])
    colours = np.array([colour for _, colour in rings], np.float32)
    for number in range(florets, 0, -1):
        share = math.sqrt(number / florets)
        angle = math.radians(number * _GOLDEN_ANGLE)
        x, y = middle + share * reach * math.sin(angle), middle - share * reach * math.cos(angle)
        size = reach * (0.9 + 0.5 * share) / math.sqrt(florets)
        lit = 0.78 + 0.3 * math.cos(angle + 0.7) * share + rng.uniform(-0.1, 0.1)
        colour = np.array([np.interp(share, stops, colours[:, channel]) for channel in range(3)])
        draw.ellipse((x - size, y - size * 0.6, x + size, y + size * 1.4), fill=(*_shade(colour, lit * 0.55), 255))
        draw.ellipse((x - size, y - size, x + size, y + size), fill=(*_shade(colour, lit), 255))
        bright = size * 0.45
        draw.ellipse(
            (x - bright, y - size * 0.8, x + bright, y - size * 0.8 + bright), fill=(*_shade(colour, lit * 1.3), 255)
        )
    head = head.resize((side // scale, side // scale), Image.Resampling.BOX)
    corner = round(_CENTRE - side / scale / 2)
    shadow = head.getchannel("A").filter(ImageFilter.GaussianBlur(7)).point(lambda level: round(level * 0.55))
    flower.paste((30, 18, 6), (corner, corner + 5), _within(shadow, flower, corner, corner + 5))
    flower.alpha_composite(head, (corner, corner))


def _shade(colour: Colour | np.ndarray, light: float) -> Colour:
    red, green, blue = (max(0, min(255, round(float(channel) * light))) for channel in colour)
    return red, green, blue


def _blank() -> Image.Image:
    return Image.new("RGBA", (SIDE, SIDE))


def _petals(rng: np.random.Generator, length: int, width: int, shape: PetalShape) -> list[Image.Image]:
    return [
        petal(int(length * rng.uniform(0.9, 1.0)), int(width * rng.uniform(0.88, 1.08)), shape, wobble)
        for wobble in (-0.8, -0.2, 0.3, 0.9)
    ]


def _daisy(variant: int, rng: np.random.Generator) -> Image.Image:
    tip = [(255, 255, 255), (252, 250, 244), (255, 236, 244), (250, 214, 230)][variant % 4]
    shape = PetalShape((226, 226, 214), tip, swell=0.42, taper=0.26, fade=0.5, veins=0.045, hollow=0.16)
    flower = _blank()
    count = int(rng.integers(17, 23))
    for shrink, shadow in ((1.0, 0.2), (0.93, 0.34)):
        length = int(150 * shrink)
        _ring(flower, rng, _petals(rng, length, 42, shape), count, 40, rng.uniform(0, 20), shadow)
    _dome(flower, rng, 52, [(0.0, (214, 178, 32)), (0.55, (250, 200, 28)), (1.0, (240, 158, 14))], 170)
    return flower


def _sunflower(variant: int, rng: np.random.Generator) -> Image.Image:
    base, tip = [((232, 140, 8), (255, 206, 24)), ((236, 160, 10), (255, 222, 58)), ((206, 98, 8), (250, 170, 16))][
        variant % 3
    ]
    shape = PetalShape(base, tip, swell=0.55, taper=0.8, fade=0.6, veins=0.07, hollow=0.3)
    flower = _blank()
    count = int(rng.integers(17, 22))
    for length, shadow in ((118, 0.2), (112, 0.4), (98, 0.4)):
        _ring(flower, rng, _petals(rng, length, 46, shape), count, 78, rng.uniform(0, 20), shadow)
    heart = (112, 104, 34) if variant % 2 else (74, 46, 22)
    rings = [(0.0, heart), (0.35, (86, 52, 20)), (0.62, (58, 32, 14)), (0.85, (92, 50, 16)), (1.0, (176, 108, 22))]
    _dome(flower, rng, 94, rings, 420)
    return flower


def _rose(variant: int, rng: np.random.Generator) -> Image.Image:
    base, tip = [
        ((96, 4, 18), (214, 22, 44)),
        ((150, 22, 66), (240, 104, 142)),
        ((196, 120, 92), (252, 222, 196)),
        ((176, 96, 110), (250, 206, 212)),
        ((184, 92, 10), (254, 196, 78)),
        ((168, 36, 20), (246, 116, 78)),
    ][variant % 6]
    shape = PetalShape(base, tip, swell=0.6, taper=0.3, fade=1.3, veins=0.025, hollow=0.2, rim_light=0.16)
    flower = _blank()
    turn, layers = rng.uniform(0, 360), 22
    for layer in range(layers):
        share = 1 - layer / layers
        length = int(20 + 168 * share**0.9)
        width = int(length * (1.18 - 0.2 * (1 - share)))
        lean = rng.uniform(-5, 5)
        part = petal(length, width, shape, rng.uniform(-0.6, 0.6))
        _place(flower, part, turn + layer * _GOLDEN_ANGLE + lean, -4 * (1 - share), 0.55, (_CENTRE, _CENTRE))
    return flower


def _tulip(variant: int, rng: np.random.Generator) -> Image.Image:
    base, tip = [
        ((206, 160, 40), (226, 30, 34)),
        ((236, 190, 170), (244, 92, 146)),
        ((220, 196, 60), (255, 208, 30)),
        ((92, 30, 96), (156, 60, 172)),
        ((226, 214, 150), (255, 244, 232)),
        ((228, 120, 26), (250, 128, 36)),
    ][variant % 6]
    inner = PetalShape(_shade(base, 0.6), _shade(tip, 0.62), swell=0.5, taper=0.6, fade=0.6, veins=0.05, hollow=0.2)
    outer = PetalShape(base, tip, swell=0.48, taper=0.62, fade=0.45, veins=0.06, hollow=0.34, rim_light=0.06)
    flower = _blank()
    foot = (_CENTRE, SIDE - 52.0)
    spread = rng.uniform(0.85, 1.25)
    for angle, length, width, shape, shadow in (
        (-9 * spread, 276, 140, inner, 0.0),
        (10 * spread, 280, 140, inner, 0.3),
        (-19 * spread, 288, 158, outer, 0.35),
        (19 * spread, 284, 158, outer, 0.35),
        (rng.uniform(-5, 5), 262, 182, outer, 0.5),
    ):
        part = petal(
            int(length * rng.uniform(0.95, 1.02)), int(width * rng.uniform(0.95, 1.05)), shape, rng.uniform(-0.4, 0.4)
        )
        _place(flower, part, angle, -4, shadow, foot)
    return flower


def _dandelion(variant: int, rng: np.random.Generator) -> Image.Image:
    shape = PetalShape((222, 146, 2), (255, 224, 30), swell=0.3, taper=0.22, fade=0.8, veins=0.03, hollow=0.2)
    flower = _blank()
    for length, count, start, shadow in (
        (96, 54, 84, 0.0),
        (96, 52, 64, 0.3),
        (92, 44, 42, 0.3),
        (80, 36, 22, 0.3),
        (54, 26, 6, 0.3),
    ):
        _ring(flower, rng, _petals(rng, length, 15, shape), count, start, rng.uniform(0, 20), shadow)
    return flower


def _dandelion_clock(variant: int, rng: np.random.Generator) -> Image.Image:
    scale, count = 2, 210
    globe = Image.new("RGBA", (SIDE * scale, SIDE * scale), (244, 246, 250, 0))
    draw = ImageDraw.Draw(globe)
    middle, reach = SIDE * scale / 2, SIDE * scale * 0.40
    for number in range(count):
        height = 1 - 2 * (number + 0.5) / count
        angle = math.radians(number * _GOLDEN_ANGLE)
        out = math.sqrt(1 - height**2) * reach * rng.uniform(0.95, 1.02)
        x, y = middle + out * math.sin(angle), middle - out * math.cos(angle)
        near = int(90 + 70 * (height + 1) / 2)
        draw.line((middle + (x - middle) * 0.16, middle + (y - middle) * 0.16, x, y), (206, 204, 196, near), 2)
        size = scale * rng.uniform(15, 21)
        squash = 0.35 + 0.65 * abs(height)
        for ray in range(11):
            spoke = 2 * math.pi * ray / 11 + number
            along, aside = math.cos(spoke) * size * squash, math.sin(spoke) * size
            end = (
                x + along * math.sin(angle) + aside * math.cos(angle),
                y - along * math.cos(angle) + aside * math.sin(angle),
            )
            draw.line((x, y, *end), (255, 255, 255, near + 40), 2)
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), (255, 255, 255, 255))
    seed = reach * 0.15
    draw.ellipse((middle - seed, middle - seed, middle + seed, middle + seed), (112, 88, 52, 255))
    for number in range(60):
        out, angle = seed * math.sqrt(number / 60) * 1.1, math.radians(number * _GOLDEN_ANGLE)
        x, y = middle + out * math.sin(angle), middle - out * math.cos(angle)
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), (*_shade((150, 118, 70), rng.uniform(0.6, 1.2)), 255))
    veil = (
        Image.radial_gradient("L")
        .resize((SIDE, SIDE))
        .point(lambda level: max(0, 70 - level // 3) if level < 150 else 0)
    )
    soft = Image.new("RGBA", (SIDE, SIDE), (240, 242, 246, 0))
    soft.putalpha(veil.filter(ImageFilter.GaussianBlur(8)))
    soft.alpha_composite(globe.resize((SIDE, SIDE), Image.Resampling.BOX))
    return soft


def _leaf(variant: int, rng: np.random.Generator) -> Image.Image:
    base, tip = [((30, 62, 22), (70, 122, 46)), ((38, 70, 34), (92, 138, 62)), ((22, 50, 26), (52, 102, 50))][
        variant % 3
    ]
    leaf = _blank()
    blade = petal(330, 128, PetalShape(base, tip, swell=0.6, taper=0.8, veins=0.1, hollow=0.25))
    leaf.alpha_composite(blade, ((SIDE - blade.width) // 2, SIDE - blade.height))
    return leaf


_KINDS: Final[Mapping[str, tuple[Callable[[int, np.random.Generator], Image.Image], int]]] = {
    "daisy": (_daisy, 3),
    "dandelion": (_dandelion, 2),
    "dandelion clock": (_dandelion_clock, 2),
    "leaf": (_leaf, 2),
    "rose": (_rose, 5),
    "sunflower": (_sunflower, 3),
    "tulip": (_tulip, 5),
}


def variants(kind: str) -> int:
    """How many pictures there are of a kind."""
    return _KINDS[kind][1]


@cache
def flower(kind: str, variant: int) -> Sequence[Image.Image]:
    """Picture number `variant`, from 0, of a kind, `SIDE` pixels square, and ever smaller copies of it, each half as wide.

    The mode is RGBa (colours times alpha), so that turning and scaling leaves no dark fringe. Do not draw on them.
    """
    draw, _ = _KINDS[kind]
    whole = draw(variant, np.random.default_rng([variant, *kind.encode()])).convert("RGBa")
    return [whole, *(whole.reduce(2**halvings) for halvings in range(1, 5))]
