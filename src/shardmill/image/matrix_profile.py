"""ICC profiles of three curves and a matrix, which cameras and phones embed, without a colour management system.

A quarter of the time of littlecms; `profile.py` holds each against it before it is used.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shardmill.image.jpeg.library import library

_LEVELS: Final = 256
_STEPS: Final = 2**14
_HEADER: Final = 128
_XYZ_OF_SRGB: Final = (
    (0.4360747, 0.3850649, 0.1430804),
    (0.2225045, 0.7168786, 0.0606169),
    (0.0139322, 0.0971045, 0.7141733),
)
"""Columns: red, green and blue of sRGB, adapted to D50 by Bradford's matrix (IEC 61966-2-1; ICC.1, annex E)."""


class _Colours(ctypes.Structure):
    """`struct colours` of profile.c."""

    _fields_ = (
        ("linear", ctypes.c_float * (3 * _LEVELS)),
        ("matrix", ctypes.c_float * 9),
        ("encoded", ctypes.c_uint8 * (_STEPS + 1)),
    )


class MatrixProfile:
    """A conversion to sRGB."""

    def __init__(self, curves: NDArray[np.float64], matrix: NDArray[np.float64]) -> None:
        """
        Args:
            curves: Shape (3, 256): light, 0 to 1, of each value of each channel.
            matrix: Shape (3, 3): columns are XYZ, relative to D50, of the channels at full light.
        """
        to_srgb = np.linalg.inv(np.array(_XYZ_OF_SRGB)) @ matrix * _STEPS
        # In whole numbers of some size: what depends on the last bits of a machine's pow() is gone.
        self._colours = _Colours(
            (ctypes.c_float * (3 * _LEVELS))(*(np.rint(curves * 65535).ravel() / 65535)),
            (ctypes.c_float * 9)(*(np.rint(to_srgb.ravel() * 256) / 256)),
            (ctypes.c_uint8 * (_STEPS + 1))(*_encoded_steps()),
        )
        self._convert = library().shardmill_to_srgb

    def converted(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`pixels`, shape (height, width, 3), in sRGB."""
        source = np.ascontiguousarray(pixels)
        result = np.empty(source.shape, np.uint8)
        addresses = (ctypes.c_void_p(array.ctypes.data) for array in (source, result))
        self._convert(*addresses, ctypes.c_uint64(source.size // 3), ctypes.byref(self._colours))
        return result


def read_matrix_profile(profile: bytes) -> MatrixProfile | None:
    """None where the profile is of another kind, has tables as well, or is malformed."""
    try:
        tags = _tags(profile)
        if profile[16:24] != b"RGB XYZ " or tags.keys() & {b"A2B0", b"A2B1", b"A2B2"}:
            return None
        curves = np.array([_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")])
        matrix = np.array([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
    except (struct.error, KeyError, ValueError, TypeError, ArithmeticError):
        return None  # promise of the docstring
    return MatrixProfile(curves, matrix)


def _tags(profile: bytes) -> Mapping[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, _HEADER)
    if count > len(profile) // 12:
        raise ValueError(count)
    entries = (struct.unpack_from(">4sII", profile, _HEADER + 4 + 12 * entry) for entry in range(count))
    return {name: profile[start : start + size] for name, start, size in entries}


def _xyz(tag: bytes) -> tuple[float, ...]:
    if tag[:4] != b"XYZ ":
        raise ValueError(tag[:4])
    return tuple(value / 65536 for value in struct.unpack_from(">3i", tag, 8))


def _curve(tag: bytes) -> NDArray[np.float64]:
    """Light of each of the 256 values (ICC.1, 10.6 and 10.18)."""
    kind, number = struct.unpack_from(">4s4xI", tag)
    values = [level / (_LEVELS - 1) for level in range(_LEVELS)]
    light: Callable[[float], float]
    if kind == b"para":
        kind_of_function = number >> 16
        counts = (1, 3, 4, 5, 7)
        if kind_of_function >= len(counts):
            raise ValueError(kind_of_function)
        count = counts[kind_of_function]
        parameters = [value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12)]
        light = _parametric(kind_of_function, parameters)
    elif kind != b"curv":
        raise ValueError(kind)
    elif number == 0:
        return np.array(values)
    elif number == 1:
        light = _parametric(0, [struct.unpack_from(">H", tag, 12)[0] / 256])
    else:
        table = np.array(struct.unpack_from(f">{number}H", tag, 12)) / 65535
        return np.interp(values, np.linspace(0, 1, number), table)
    return np.clip(np.array([light(value) for value in values], np.float64), 0, 1)


def _parametric(kind: int, parameters: list[float]) -> Callable[[float], float]:
    """ICC.1, table 68: a power above d, a line below."""
    g, *rest = parameters
    a, b, c, d, e, f = 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind >= 1:
        a, b = rest[:2]
        d = -b / a
    if kind == 2:
        e = f = rest[2]
    if kind >= 3:
        c, d = rest[2:4]
    if kind == 4:
        e, f = rest[4:6]
    return lambda value: (a * value + b) ** g + e if value >= d else c * value + f


@cache
def _encoded_steps() -> bytes:
    """The values of sRGB for `_STEPS` and one steps of light (IEC 61966-2-1)."""
    lights = (step / _STEPS for step in range(_STEPS + 1))
    return bytes(
        round(255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)) for light in lights
    )
