"""Small folders of images for tests: quick to make, and as odd as real ones."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("ash", "birch", "cedar")
ODD = {  # name: whether it yields a record
    "ash/truncated.jpg": False,
    "ash/empty.jpg": False,
    "birch/text.jpg": False,
    "birch/cmyk.jpg": True,
    "birch/png-named.jpg": True,
    "cedar/sideways.jpg": True,
    "cedar/sixteen-bit.png": True,
    "cedar/see-through.png": True,
    "cedar/copy-1.jpg": True,
    "cedar/copy-2.jpg": True,
}


def picture(seed: int, width: int = 96, height: int = 72) -> Image.Image:
    """A smooth colour field, different for each seed, so that JPEGs of it are neither empty nor all alike."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def jpeg(seed: int, width: int = 96, height: int = 72, **options: object) -> bytes:
    """`picture` as JPEG."""
    file = io.BytesIO()
    picture(seed, width, height).save(file, "JPEG", **options)
    return file.getvalue()


def class_folder(folder: Path, plain: int = 30, *, odd: bool = False) -> Path:
    """`plain` JPEGs in three class folders; with `odd`, the files of `ODD` too."""
    for number in range(plain):
        path = folder / CLASSES[number % 3] / f"{number:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number, 64 + number % 7 * 8, 64 + number % 5 * 8))
    if odd:
        _write_odd(folder)
    return folder


def _write_odd(folder: Path) -> None:
    whole = jpeg(1000)
    (folder / "ash/truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "ash/empty.jpg").write_bytes(b"")
    (folder / "birch/text.jpg").write_text("not an image at all\n")
    picture(1001).convert("CMYK").save(folder / "birch/cmyk.jpg")
    picture(1002).save(folder / "birch/png-named.jpg", "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(1003).save(folder / "cedar/sideways.jpg", exif=exif)
    Image.fromarray(np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)).save(folder / "cedar/sixteen-bit.png")
    see_through = picture(1004).convert("RGBA")
    see_through.putalpha(128)
    see_through.save(folder / "cedar/see-through.png")
    for name in ("copy-1", "copy-2"):
        (folder / f"cedar/{name}.jpg").write_bytes(jpeg(1005))
