"""What two machines must have in common to write the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Final

import numpy as np
import simplejpeg
from PIL import Image, features

from shardmill.image.base import Encoded, ImageSpec, Transform

_COMMON: Final = ("numpy", "pillow", "simplejpeg")
_CODECS: Final = ("libjpeg_turbo", "littlecms2", "webp", "avif", "jpg_2000", "zlib", "zlib_ng", "libtiff")


def transform_fingerprint(name: str, transform: Callable[[ImageSpec], Transform], versions: Mapping[str, str]) -> str:
    """JSON of the `versions` of what `transform` needs, of what all need, and a digest of what it makes of the probes."""
    packages = {**{package: version(package) for package in _COMMON}, **versions}
    known = {*features.modules, *features.codecs, *features.features}  # older Pillows warn of names they do not know
    codecs = {codec: features.version(codec) for codec in _CODECS if codec in known and features.check(codec)}
    facts = {"transform": name, "packages": packages, "codecs": codecs, "probes": _probe_digest(transform)}
    return json.dumps(facts, sort_keys=True)


def _probe_digest(transform: Callable[[ImageSpec], Transform]) -> str:
    digest = hashlib.sha256()
    specs = (
        ImageSpec(width=48, height=40),
        ImageSpec(width=40, height=40, resize_mode="border", chroma="420", quality=80),
        ImageSpec(resize_mode="no"),
    )
    for spec in specs:
        for outcome in transform(spec).run(_probes()):
            assert isinstance(outcome, Encoded), f"the transform refuses a built-in image: {outcome}"
            digest.update(outcome.jpeg)
            digest.update(repr(outcome.sums).encode())
    return digest.hexdigest()


def _probes() -> list[bytes]:
    """Gradients, an edge and noise, made of integers alone: a JPEG with subsampled chroma and a transparent PNG."""
    y, x = np.mgrid[0:150, 0:201].astype(np.uint32)
    noise = ((x * 2654435761 + y * 40503 + x * y * 2246822519) >> 13) & 31
    red, green, blue = x + noise, y + noise, np.where(x > y, 200, 30) + noise
    pixels = np.stack((red, green, blue), axis=-1).clip(0, 255).astype(np.uint8)
    transparent = np.dstack((pixels, np.where((x // 16 + y // 16) % 2, 255, 90).astype(np.uint8)))
    png = io.BytesIO()
    Image.fromarray(transparent).save(png, "PNG")
    return [simplejpeg.encode_jpeg(pixels, quality=90, colorsubsampling="420"), png.getvalue()]
