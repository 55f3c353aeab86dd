"""Loads the compiled codec in the variant that suits this processor."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from shardmill.errors import UsageError

VARIABLE: Final = "SHARDMILL_CPU"
"""Environment variable that asks for a variant; the best is taken without it."""

_FOLDER: Final = Path(__file__).parent
_CPUINFO: Final = Path("/proc/cpuinfo")

_LEVEL_2: Final = frozenset({"cx16", "lahf_lm", "popcnt", "pni", "ssse3", "sse4_1", "sse4_2"})
_LEVEL_3: Final = _LEVEL_2 | {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}
_VNNI: Final = _LEVEL_3 | {"avx512f", "avx512vl", "avx512_vnni"}
_NEEDS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "x86_64": {"x86_64_vnni": _VNNI, "x86_64_v3": _LEVEL_3, "x86_64": frozenset()},
    "aarch64": {"aarch64": frozenset()},
}
"""By machine, best first: the variants and the flags of /proc/cpuinfo that each needs.

Source: the levels of the x86-64 psABI, section 3.1.1, with Linux's names of the features (pni is SSE3, abm LZCNT).
"""


@cache
def library() -> ctypes.CDLL:
    """The codec, loaded once a process; calls release the interpreter's lock.

    Raises:
        UsageError: there is none for this machine, it is not installed, or SHARDMILL_CPU asks for one that cannot run.
    """
    path = _FOLDER / f"codec-{variant()}.so"
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        reason = "cannot be loaded" if path.is_file() else "is missing"
        raise UsageError(
            f"the compiled codec {path} {reason}: install shardmill again, which compiles it "
            "(pip install --force-reinstall shardmill; in a checkout: pip install --editable .)"
        ) from error


def variant() -> str:
    """The variant that `library` loads.

    Raises:
        UsageError: there is none for this machine, or SHARDMILL_CPU asks for one that cannot run.
    """
    able = runnable()
    if not able:
        raise UsageError(
            f"the compiled codec is made for Linux on {' and '.join(_NEEDS)}, and this is {sys.platform} on "
            f"{platform.machine()}: use --transform tensorflow, or such a machine"
        )
    asked = os.environ.get(VARIABLE) or able[0]
    if asked not in able:
        raise UsageError(f"{VARIABLE} is {asked!r}, which cannot run here: unset it, or choose of {', '.join(able)}")
    return asked


def runnable(cpuinfo: Path = _CPUINFO) -> list[str]:
    """The variants that this processor runs, best first."""
    needs = _NEEDS.get(platform.machine(), {}) if sys.platform == "linux" else {}
    flags = _flags(cpuinfo)
    return [name for name, needed in needs.items() if needed <= flags]


def codec_version() -> str:
    """16 hexadecimal digits that differ wherever the sources of the loaded codec do."""
    function = library().codec_version
    function.restype = ctypes.c_char_p
    version: bytes = function()
    return version.decode()


def _flags(cpuinfo: Path) -> frozenset[str]:
    """What the first processor can do; nothing where that is not told."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), ()))
