"""JPEGs with random damage, decoded in a process of their own: `python -m tests.image.jpeg.mutations SEED COUNT [FOLDER]`.

Each case's number is written before it runs, so that one that crashes is known; `damaged` makes it again.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import simplejpeg

from shardmill.image.base import Refused, SourceFacts
from shardmill.image.header import read_jpeg_header
from shardmill.image.jpeg.codec import Codec
from shardmill.image.libjpeg import decode
from tests.image.jpeg.streams import Component, Hand
from tests.pictures import picture

Generator = np.random.Generator
_SIDES = (1, 2, 8, 9, 16, 17, 31, 40)
_MEANINGFUL = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0xC0, 0xC4, 0xD0, 0xD1, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD)


def damaged(seed: int, number: int, whole: Sequence[bytes]) -> tuple[bytes, Generator]:
    """One of `whole` with a few things changed; the generator goes on to say what is asked for."""
    rng = np.random.default_rng((seed, number))
    stream = bytearray(whole[int(rng.integers(len(whole)))])
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        _damage(stream, rng, whole)
    return bytes(stream), rng


def _damage(stream: bytearray, rng: Generator, whole: Sequence[bytes]) -> None:
    scan = max(stream.find(b"\xff\xda"), 0)
    end = len(stream) if rng.random() < 0.6 else min(len(stream), scan + 16)
    at, length = int(rng.integers(end + 1)), int(rng.integers(1, 9))
    match rng.integers(8):
        case 0 | 1 if at < len(stream):
            stream[at] ^= 1 << int(rng.integers(8))
        case 2 if at < len(stream):
            stream[at] = rng.choice(_MEANINGFUL)
        case 3:
            del stream[at : at + length]
        case 4:
            stream[at:at] = rng.integers(0, 256, length, np.uint8).tobytes()
        case 5:
            stream[at:at] = stream[at : at + int(rng.integers(1, 60))]
        case 6:
            del stream[at:]
            if rng.random() < 0.7:
                stream += b"\xff\xd9"
        case _:
            other = whole[int(rng.integers(len(whole)))]
            start = int(rng.integers(len(other)))
            stream[at : at + length] = other[start : start + length]


def wrong_with(stream: bytes, rng: Generator, codec: Codec) -> str | None:
    """What the codec makes of `stream` that it must not."""
    header = read_jpeg_header(stream)
    if isinstance(header, Refused) or not 0 < header.width * header.height <= 2**22:
        return None
    stored = header.width, header.height
    across, down = (np.sort(rng.random(2)) * side for side in stored)
    box = across[0], down[0], max(across[1], across[0] + 1e-3), max(down[1], down[0] + 1e-3)
    size = int(rng.choice((1, 5, 32, 100))), int(rng.choice((1, 7, 32, 90)))
    pixels = codec.resized(stream, stored, box if rng.random() < 0.5 else (0.0, 0.0, *stored), size, 1.3)
    if pixels is None:
        return None
    judged = decode(stream, SourceFacts("jpeg", *stored))
    if isinstance(judged, Refused):
        return f"taken, and libjpeg-turbo says: {judged.detail}"
    return f"taken, and counts as converted: {judged[1].conversions}" if judged[1].conversions else None


def whole_streams() -> list[bytes]:
    """Small ones of all kinds."""
    found = []
    for number in range(60):
        rng = np.random.default_rng(number)
        image = picture(number, int(rng.choice(_SIDES)), int(rng.choice(_SIDES)))
        if number % 3 == 0:
            chroma = ("444", "422", "420", "440", "411")[number // 3 % 5]
            found.append(simplejpeg.encode_jpeg(np.asarray(image), quality=number + 40, colorsubsampling=chroma))
            continue
        file = io.BytesIO()
        kind = image.convert("L") if number % 7 == 0 else image
        profile = b"a profile" if number % 5 == 0 else None
        kind.save(
            file,
            "JPEG",
            quality=30 + number,
            restart_marker_blocks=number % 4,
            optimize=number % 2,
            icc_profile=profile,
        )
        found.append(file.getvalue())
    for restart in range(6):
        components = [Component((2, 2)), Component((1, 1), 1, (1, 2)), Component((1, 1), 2, (3, 1))]
        found.append(Hand(24, 20, components[: 1 if restart % 2 else 3], restart=restart, seed=restart).stream())
    return found


def main(seed: int, count: int, folder: str | None = None) -> int:
    whole = whole_streams()
    if folder is not None:
        whole = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
    codec = Codec()
    for number in range(count):
        os.write(1, b"%d\n" % number)
        wrong = wrong_with(*damaged(seed, number, whole), codec)
        if wrong is not None:
            print(f"seed {seed}, case {number}: {wrong}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
