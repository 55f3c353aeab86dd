"""A folder of flower pictures to try everything on: most are plain JPEGs, a few are what real folders also hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from shardmill.arguments import checked
from shardmill.operations.demo.flowers import flower
from shardmill.operations.demo.scenes import CLASSES, photograph
from shardmill.operations.demo.wide_gamut import to_wide_gamut

_SIZES: Final = (  # width, height in pixels, and how often
    ((300, 220), 20),
    ((320, 240), 20),
    ((240, 320), 8),
    ((400, 300), 14),
    ((300, 400), 6),
    ((360, 360), 8),
    ((420, 280), 10),
    ((560, 240), 3),
    ((220, 480), 2),
    ((640, 480), 5),
    ((480, 640), 2),
    ((1024, 683), 1),
    ((1200, 900), 1),
)
_ORDER: Final = tuple(CLASSES[place] for place in (0, 2, 4, 3, 0, 1, 4, 2, 0, 3, 4, 0, 2, 1, 4, 0, 3, 4, 2))  # uneven
_STORED: Final[Mapping[int, Image.Transpose]] = {  # EXIF orientation: how an upright picture is turned to be stored
    3: Image.Transpose.ROTATE_180,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
_QUALITY: Final = 88


def _save_jpeg(picture: Image.Image, stem: Path) -> None:
    picture.save(stem.with_name(f"{stem.name}.jpg"), quality=_QUALITY)


def _save_turned(orientation: int) -> Callable[[Image.Image, Path], None]:
    def save(picture: Image.Image, stem: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = picture.transpose(_STORED[orientation])
        stored.save(stem.with_name(f"{stem.name}-orientation-{orientation}.jpg"), quality=_QUALITY, exif=exif)

    return save


def _save_cmyk(picture: Image.Image, stem: Path) -> None:
    picture.convert("CMYK").save(stem.with_name(f"{stem.name}-cmyk.jpg"), quality=_QUALITY)


def _save_gray(picture: Image.Image, stem: Path) -> None:
    picture.convert("L").save(stem.with_name(f"{stem.name}-gray.jpg"), quality=_QUALITY)


def _save_16bit(picture: Image.Image, stem: Path) -> None:
    deep = np.asarray(picture.convert("L"), np.uint16) * 257
    Image.fromarray(deep).save(stem.with_name(f"{stem.name}-16bit.png"), compress_level=1)


def _save_alpha(picture: Image.Image, stem: Path) -> None:
    """One flower cut out of its picture's class, on nothing."""
    kind = stem.name.partition("-")[0]
    flower(kind, 0)[0].convert("RGBA").save(stem.with_name(f"{stem.name}-alpha.png"), compress_level=1)


def _save_wide_gamut(picture: Image.Image, stem: Path) -> None:
    converted, profile = to_wide_gamut(picture)
    converted.save(stem.with_name(f"{stem.name}-wide-gamut.jpg"), quality=_QUALITY, icc_profile=profile)


def _save_twice(picture: Image.Image, stem: Path) -> None:
    _save_jpeg(picture, stem)
    original = stem.with_name(f"{stem.name}.jpg")
    stem.with_name(f"{stem.name}-copy.jpg").write_bytes(original.read_bytes())


def _save_truncated(picture: Image.Image, stem: Path) -> None:
    broken = stem.with_name(f"{stem.name}-truncated.jpg")
    picture.save(broken, quality=_QUALITY)
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) * 2 // 5])


def _save_text(picture: Image.Image, stem: Path) -> None:
    stem.with_name(f"{stem.name}-text.jpg").write_text("<html><body>404 Not Found</body></html>\n")


def _save_empty(picture: Image.Image, stem: Path) -> None:
    stem.with_name(f"{stem.name}-empty.jpg").write_bytes(b"")


_ODD: Final[tuple[Callable[[Image.Image, Path], None], ...]] = (
    _save_turned(6),
    _save_truncated,
    _save_cmyk,
    _save_alpha,
    _save_twice,
    _save_turned(8),
    _save_text,
    _save_gray,
    _save_16bit,
    _save_wide_gamut,
    _save_empty,
    _save_turned(3),
    _save_turned(5),
    _save_twice,
)


@checked
def draw_images(folder: str | Path, count: int = 300, seed: int = 0) -> None:
    """Write `count` pictures of flowers into one folder a class, the same bytes for the same arguments and libraries.

    Picture number i does not depend on `count`, except that up to fourteen (at most every third) are odd on purpose,
    which their names tell: turned by an EXIF orientation, CMYK, grey, 16 bit, transparent, with a wide-gamut profile,
    truncated, empty, or no image at all. A picture with a copy makes two files, so there are up to two more files than
    `count`.
    """
    root = Path(folder).expanduser()
    for name in CLASSES:
        (root / name).mkdir(parents=True, exist_ok=True)
    chosen = np.random.default_rng([seed, count]).permutation(count)[: min(len(_ODD), count // 3)].tolist()
    odd = dict(zip(chosen, _ODD, strict=False))
    for number in range(count):
        name, drawn = picture(number, seed)
        odd.get(number, _save_jpeg)(drawn, root / name / f"{name}-{number:04d}")


def picture(number: int, seed: int) -> tuple[str, Image.Image]:
    """The class of picture `number`, and the picture, upright and in RGB."""
    rng = np.random.default_rng([seed, number, 1])
    name = _ORDER[number % len(_ORDER)]
    weights = np.array([weight for _, weight in _SIZES], np.float64)
    size, _ = _SIZES[int(rng.choice(len(_SIZES), p=weights / weights.sum()))]
    return name, photograph(name, size, rng)
