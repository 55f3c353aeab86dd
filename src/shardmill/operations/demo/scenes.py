"""Photographs of flowers that never were: blurred backgrounds, stems, leaves, light and grain around `flowers`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from shardmill.operations.demo.flowers import Colour, flower, variants

CLASSES: Final = ("daisy", "dandelion", "rose", "sunflower", "tulip")

_BACKDROPS: Final[Sequence[tuple[Colour, Colour, Colour]]] = (  # top, middle, bottom
    ((168, 196, 122), (98, 142, 66), (40, 74, 30)),
    ((150, 192, 226), (190, 212, 210), (84, 128, 56)),
    ((34, 54, 40), (26, 48, 30), (14, 28, 16)),
    ((250, 214, 160), (206, 170, 96), (92, 98, 44)),
    ((108, 158, 210), (160, 196, 224), (206, 220, 222)),
    ((64, 88, 84), (54, 92, 60), (26, 50, 28)),
    ((222, 206, 214), (186, 176, 180), (104, 126, 88)),
)
_DARK: Final = (2, 5, 0)
_GRAIN_SIDE: Final = 512
_PAINTED_SIDE: Final = 400
"""Larger pictures are painted at this longer side and enlarged before their grain is added, for speed."""
_GIRTH: Final = {"tulip": 0.055, "rose": 0.045, "sunflower": 0.06, "daisy": 0.026, "dandelion": 0.026}
_LEAVES: Final = {"tulip": 2, "rose": 4, "sunflower": 2, "daisy": 0, "dandelion": 1}


@cache
def _grain(strength: int) -> Image.Image:
    rng = np.random.default_rng(strength)
    shared = rng.normal(0, strength, (_GRAIN_SIDE, _GRAIN_SIDE, 1))
    own = rng.normal(0, strength * 0.45, (_GRAIN_SIDE, _GRAIN_SIDE, 3))
    return Image.fromarray(np.clip(128 + shared + own, 0, 255).astype(np.uint8), "RGB")


def _gradient(size: tuple[int, int], colours: Sequence[Colour]) -> Image.Image:
    column = np.asarray(colours, np.uint8)[:, None, :]
    return Image.fromarray(column, "RGB").resize(size, Image.Resampling.BICUBIC)


def _kind(name: str, rng: np.random.Generator) -> str:
    return "dandelion clock" if name == "dandelion" and rng.random() < 0.45 else name


def _pose(
    kind: str, variant: int, size: float, tilt: float = 1.0, turn: float = 0.0, stretch: float = 1.0
) -> Image.Image:
    """A flower or leaf turned by `turn` degrees, `size` pixels across, and then leant back: `tilt` times as high.

    `stretch` makes it higher before it is turned.
    """
    copies = flower(kind, variant)
    level = next((level for level in reversed(copies) if level.width >= size), copies[0])
    zoom = level.width / size
    sine, cosine = math.sin(math.radians(turn)), math.cos(math.radians(turn))
    width = size * (abs(cosine) + stretch * abs(sine) if kind == "leaf" else 1.0)
    height = size * (abs(sine) + stretch * abs(cosine) if kind == "leaf" else 1.0) * tilt
    right, down = max(4, round(width)), max(4, round(height))
    middle = level.width / 2
    across = (cosine * zoom, sine * zoom / tilt)
    along = (-sine * zoom / stretch, cosine * zoom / stretch / tilt)
    matrix = (
        *across, middle - across[0] * right / 2 - across[1] * down / 2,
        *along, middle - along[0] * right / 2 - along[1] * down / 2,
    )  # fmt: skip
    return level.transform((right, down), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR).convert("RGBA")


def _lay(scene: Image.Image, part: Image.Image, centre: tuple[float, float]) -> None:
    scene.paste(part, (round(centre[0] - part.width / 2), round(centre[1] - part.height / 2)), part)


def _lay_lit(scene: Image.Image, part: Image.Image, centre: tuple[float, float], sun: float) -> None:
    """Lay a flower that is lit from the upper left (`sun` -1) or the upper right (1)."""
    corner = (round(centre[0] - part.width / 2), round(centre[1] - part.height / 2))
    scene.paste(part, corner, part)
    ramp = np.linspace(0, 88, 6)[:, None] - np.linspace(-26, 26, 6)[None, :] * sun
    shade = Image.fromarray(np.clip(ramp, 0, 255).astype(np.uint8), "L").resize(part.size, Image.Resampling.BILINEAR)
    scene.paste((16, 14, 22), corner, ImageChops.multiply(shade, part.getchannel("A")))


def _background(name: str, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """What lies far behind the plane of focus, painted small and enlarged."""
    scale = max(size) / 120
    small = (max(24, round(size[0] / scale)), max(24, round(size[1] / scale)))
    backdrop = int(rng.integers(len(_BACKDROPS)))
    if name == "dandelion" and rng.random() < 0.6:
        backdrop = _DARK[int(rng.integers(len(_DARK)))]
    scene = _gradient(small, _BACKDROPS[backdrop])
    draw = ImageDraw.Draw(scene, "RGBA")
    top, middle, bottom = _BACKDROPS[backdrop]
    for _ in range(18):
        x, y = rng.uniform(0, small[0]), small[1] * rng.beta(2.5, 1.4)
        radius = rng.uniform(4, 18)
        tone = np.asarray((middle, bottom, top)[int(rng.integers(3))]) * rng.uniform(0.7, 1.25)
        red, green, blue = (int(channel) for channel in np.clip(tone, 0, 255))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), (red, green, blue, 90))
    scene = scene.filter(ImageFilter.BoxBlur(6))
    for _ in range(int(rng.integers(3, 8))):
        kind = _kind(name, rng)
        turn = 0.0 if kind == "tulip" else rng.uniform(0, 360)
        far = _pose(kind, int(rng.integers(variants(kind))), rng.uniform(11, 27), rng.uniform(0.6, 1.0), turn)
        _lay(scene, far, (rng.uniform(0, small[0]), small[1] * rng.uniform(0.35, 1.0)))
    scene = scene.filter(ImageFilter.GaussianBlur(rng.uniform(2.1, 3.3)))
    draw = ImageDraw.Draw(scene, "RGBA")
    for _ in range(int(rng.integers(0, 13))):
        x, y, radius = rng.uniform(0, small[0]), rng.uniform(0, small[1] * 0.7), rng.uniform(1.6, 5.6)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), (255, 250, 214, int(rng.uniform(14, 46))))
    return scene.filter(ImageFilter.GaussianBlur(0.7)).resize(size, Image.Resampling.BICUBIC)


def _stem(scene: Image.Image, start: tuple[float, float], end: tuple[float, float], width: float, bend: float) -> None:
    share = np.linspace(0, 1, 14)
    x = start[0] + (end[0] - start[0]) * share + bend * np.sin(share * math.pi)
    y = start[1] + (end[1] - start[1]) * share
    draw = ImageDraw.Draw(scene)
    for offset, girth, colour in (
        (0.0, width, (46, 78, 30)),
        (-0.14, width * 0.6, (84, 124, 54)),
        (-0.2, width * 0.22, (126, 162, 84)),
    ):
        points = [(float(px + offset * width), float(py)) for px, py in zip(x, y, strict=True)]
        draw.line(points, colour, max(1, round(girth)), joint="curve")


def _centres(name: str, size: tuple[int, int], rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Where the flowers in focus stand and how large, as (x, y, across) in pixels, the farthest first."""
    width, height = size
    short, long = min(size), max(size)
    room = long / short
    count = int(rng.choice([1, 1, 2, 3, 4])) + int(room > 1.6)
    if name == "tulip":
        count = int(rng.integers(2, 6))
    biggest = short * rng.uniform(0.62, 0.86) / (1 + 0.24 * (count - 1)) ** 0.8
    found: list[tuple[float, float, float]] = []
    for attempt in range(60):
        across = biggest * (1.0 if not found else rng.uniform(0.6, 1.0))
        x = rng.uniform(0.2, 0.8) * width if attempt else rng.uniform(0.38, 0.62) * width
        y = rng.uniform(0.22, 0.72) * height if attempt else rng.uniform(0.4, 0.55) * height
        if all(math.hypot(x - ox, y - oy) > (across + other) * 0.42 for ox, oy, other in found):
            found.append((x, y, across))
        if len(found) == count:
            break
    return sorted(found, key=lambda centre: centre[2])


def _foliage(scene: Image.Image, name: str, x: float, y: float, across: float, rng: np.random.Generator) -> None:
    """The stem and the leaves of one flower at (x, y)."""
    foot = (x + rng.uniform(-0.25, 0.25) * across, scene.height + across * 0.3)
    head = y + across * 0.36 if name == "tulip" else y
    _stem(scene, (x, head), foot, across * _GIRTH[name], rng.uniform(-0.16, 0.16) * across)
    for _ in range(_LEAVES[name]):
        leaf = int(rng.integers(variants("leaf")))
        if name == "tulip":
            lean = rng.uniform(-24, 24)
            blade = _pose("leaf", leaf, across * 0.75, turn=lean, stretch=2.3)
            _lay(scene, blade, (x + lean / 60 * across, max(scene.height - across * 0.3, y + across)))
        else:
            turn, reach = rng.uniform(0, 360), across * (0.42 if name == "rose" else 0.3)
            blade = _pose("leaf", leaf, across * rng.uniform(0.62, 0.85), turn=turn)
            middle = y if name == "rose" else y + across * 0.6
            _lay(
                scene, blade, (x + reach * math.sin(math.radians(turn)), middle - reach * math.cos(math.radians(turn)))
            )


def photograph(name: str, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """An RGB picture, (width, height) in pixels, of one or more flowers of the class `name`."""
    shrink = max(1.0, max(size) / _PAINTED_SIDE)
    painted = (round(size[0] / shrink), round(size[1] / shrink))
    scene = _background(name, painted, rng)
    kind = _kind(name, rng)
    variant, mixed = int(rng.integers(variants(kind))), rng.random() < 0.3
    tilt, sun = rng.uniform(0.72, 1.0), float(rng.choice([-1.0, 1.0]))
    centres = _centres(name, painted, rng)
    for x, y, across in centres:
        _foliage(scene, name, x, y, across, rng)
    scene = scene.filter(ImageFilter.BoxBlur(max(0.6, min(painted) / 500)))
    for x, y, across in centres:
        own = int(rng.integers(variants(kind))) if mixed else variant
        upright = kind in ("tulip", "dandelion clock")
        turn, lean = (rng.uniform(-20, 20), 1.0) if upright else (rng.uniform(-180, 180), tilt * rng.uniform(0.92, 1.0))
        posed = _pose(kind, own, across * 1.18, lean, turn)
        behind = 1 - across / centres[-1][2]
        if behind > 0.2:
            posed = posed.filter(ImageFilter.BoxBlur(behind * across * 0.03))
        _lay_lit(scene, posed, (x, y), sun)
    return _developed(scene, size, rng, sun)


def _developed(scene: Image.Image, size: tuple[int, int], rng: np.random.Generator, sun: float) -> Image.Image:
    """Sunlight from one side, darker corners, the tint of the hour, and the grain of the film at full size."""
    y, x = np.mgrid[-1:1:24j, -1:1:24j]
    corners = rng.uniform(20, 70) * (x**2 + y**2) / 2
    scene.paste((10, 12, 18), (0, 0), _mask(corners, scene.size))
    glow = np.exp(-((x - 1.1 * sun) ** 2 + (y + 1.1) ** 2) / 0.9) * rng.uniform(15, 120)
    scene.paste((255, 240, 200), (0, 0), _mask(glow, scene.size))
    level = np.arange(256) / 255
    curve = level - 0.05 * np.sin(level * 2 * math.pi) + 0.05 * np.sin(level * math.pi)
    tint = np.array([[rng.uniform(0.97, 1.06)], [1.0], [rng.uniform(0.92, 1.04)]])
    scene = scene.point(np.clip(255 * curve * tint, 0, 255).astype(int).ravel().tolist())
    if scene.size != size:
        scene = scene.resize(size, Image.Resampling.BICUBIC)
    tile = _grain(int(rng.choice([2, 4, 5])))
    left, top = (int(shift) for shift in rng.integers(0, _GRAIN_SIDE, 2))
    grain = Image.new("RGB", size)
    for across in range(-left, size[0], _GRAIN_SIDE):
        for down in range(-top, size[1], _GRAIN_SIDE):
            grain.paste(tile, (across, down))
    return ImageChops.add(scene, grain, 1, -128)


def _mask(levels: NDArray[np.float64], size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8), "L").resize(size, Image.Resampling.BILINEAR)
