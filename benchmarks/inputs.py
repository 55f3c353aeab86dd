"""The files that a benchmark reads, made of a folder of photographs."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

_SUFFIXES: Final = {".jpg", ".jpeg"}
_CLASSES: Final = 10
_LARGE: Final = (4000, 3000)
_CELL: Final = (500, 375)


def photographs(folder: Path) -> list[Path]:
    """The JPEGs in `folder`, at any depth, in order.

    Raises:
        SystemExit: there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    if not found:
        raise SystemExit(f"prepare.py: no JPEG files in {folder}; name a folder of photographs with --photos")
    return found


def repeat(originals: list[Path], folder: Path, count: int) -> Path:
    """Fill `folder` with `count` hard links, of different names, in class folders; returns it.

    `originals` must lie on the same file system.
    """
    for number in range(_CLASSES):
        (folder / f"class_{number:02d}").mkdir(parents=True)
    for number in range(count):
        original = originals[number % len(originals)]
        # The class follows the repetition, so that every class holds all photographs.
        place = folder / f"class_{(number // len(originals) + number) % _CLASSES:02d}"
        os.link(original, place / f"{number:07d}_{original.stem}.jpg")
    return folder


def copied(photos: list[Path], folder: Path) -> list[Path]:
    """Copies in `folder`, to be linked to and then read into the page cache by being written."""
    folder.mkdir(parents=True)
    return [Path(shutil.copyfile(path, folder / f"{number:05d}.jpg")) for number, path in enumerate(photos)]


def tiled(photos: list[Path], folder: Path, count: int) -> list[Path]:
    """`count` different JPEGs of 4000 x 3000 pixels, quality 90, each of 64 photographs side by side."""
    folder.mkdir(parents=True)
    draw = random.Random(0)
    paths = []
    for number in range(count):
        canvas = Image.new("RGB", _LARGE)
        for left in range(0, _LARGE[0], _CELL[0]):
            for top in range(0, _LARGE[1], _CELL[1]):
                with Image.open(draw.choice(photos)) as photo:
                    canvas.paste(ImageOps.fit(photo.convert("RGB"), _CELL, Image.Resampling.LANCZOS), (left, top))
        path = folder / f"large_{number:03d}.jpg"
        canvas.save(path, quality=90)
        paths.append(path)
    return paths
