"""How close the pixels come to a full decode and Lanczos with the exact crop box, before they are encoded again.

PSNR in dB over all channels. What is judged is decoder, crop and filter. Where shardmill converts an embedded profile, so
does its reference, at full size and before Lanczos; TensorFlow and its reference leave profiles alone. TensorFlow's crop
begins at a whole pixel, so it is compared with Lanczos of that very box. As a script it prints JSON: `fidelity.py PHOTOS`.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from inputs import photographs
from jobs import QUALITY, SIDE
from numpy.typing import NDArray
from PIL import Image, ImageOps

from shardmill.image.base import ImageSpec
from shardmill.image.native import NativeTransform
from shardmill.image.profile import to_srgb

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """PSNR of one transform over all photographs, in dB."""

    transform: str
    images: int
    mean_db: float
    fifth_percentile_db: float


def fidelity(photos: Path) -> list[Fidelity]:
    """Measure in a fresh process."""
    command = [sys.executable, __file__, str(photos)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return [Fidelity(**one) for one in json.loads(done.stdout)]


def _measure(photos: Path) -> list[Fidelity]:
    from with_tensorflow import best

    native = NativeTransform(ImageSpec(width=SIDE, height=SIDE, quality=QUALITY))

    def native_pixels(image: bytes) -> NDArray[np.uint8]:
        pixels = native.pixels(image)
        assert isinstance(pixels, np.ndarray), f"refused: {pixels}"
        return pixels

    def tensorflow_pixels(image: bytes) -> NDArray[np.uint8]:
        pixels: NDArray[np.uint8] = best(image).numpy()
        return pixels

    images = [path.read_bytes() for path in photographs(photos)]
    return [
        _summary("shardmill, native", native_pixels, _exact_box, images, convert=True),
        _summary("tf.data, default resize", tensorflow_pixels, _whole_pixel_box, images, convert=False),
    ]


def _summary(
    name: str,
    transform: Callable[[bytes], NDArray[np.uint8]],
    box: Callable[[int, int], Box],
    images: list[bytes],
    *,
    convert: bool,
) -> Fidelity:
    values = [_psnr(transform(image), _reference(image, box, convert=convert)) for image in images]
    return Fidelity(name, len(values), float(np.mean(values)), float(np.percentile(values, 5)))


def _reference(image: bytes, box: Callable[[int, int], Box], *, convert: bool) -> NDArray[np.uint8]:
    with Image.open(BytesIO(image)) as opened:
        profile = opened.info.get("icc_profile") if convert else None
        upright = ImageOps.exif_transpose(opened).convert("RGB")
        if profile:
            converted, _ = to_srgb(np.asarray(upright), profile, gray=opened.mode == "L")
            upright = Image.fromarray(converted)
    return np.asarray(upright.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=box(*upright.size)))


def _exact_box(width: int, height: int) -> Box:
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _whole_pixel_box(width: int, height: int) -> Box:
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def _psnr(ours: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    error = float(np.mean((ours.astype(np.float64) - reference) ** 2))
    return 10 * math.log10(255**2 / error) if error else 99.0


if __name__ == "__main__":
    print(json.dumps([asdict(one) for one in _measure(Path(sys.argv[1]))]))
