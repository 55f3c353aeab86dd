"""A colour profile that is not sRGB, made here: Adobe RGB (1998)'s primaries and gamma, as an ICC version 2 profile."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Final

from PIL import Image, ImageCms

_D50: Final = (0.9642, 1.0, 0.8249)
_PRIMARIES: Final = {  # XYZ adapted to D50
    b"rXYZ": (0.60974, 0.31111, 0.01947),
    b"gXYZ": (0.20528, 0.62567, 0.06087),
    b"bXYZ": (0.14919, 0.06322, 0.74457),
}
_GAMMA: Final = 2.19921875


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _description(text: bytes) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(78)


def wide_gamut_profile() -> bytes:
    """The profile's bytes, the same ones each time."""
    tags = {b"desc": _description(b"Wide gamut"), b"cprt": b"text\0\0\0\0Public domain\0", b"wtpt": _xyz(_D50)}
    tags |= {name: _xyz(values) for name, values in _PRIMARIES.items()}
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(_GAMMA * 256))
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + _xyz(_D50)[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def to_wide_gamut(picture: Image.Image) -> tuple[Image.Image, bytes]:
    """An sRGB picture's pixels in the wide gamut, and the profile to store with them."""
    profile = wide_gamut_profile()
    converted = ImageCms.profileToProfile(
        picture, ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(BytesIO(profile))
    )
    assert converted is not None
    return converted, profile
