"""Compiles the package's C for all machines that a wheel of it may reach (docs/decisions/0043).

Hatchling runs this for every wheel, an editable one too. What is compiled already is known by the digest in it, and the
compiler is fetched only where it is needed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILER: Final = "ziglang==0.17.1"
"""One version, so that the same sources give the same bytes wherever they are compiled."""

FOLDER: Final = Path("src", "shardmill", "image", "jpeg")


class Target(NamedTuple):
    """One library, `codec-NAME.so`."""

    name: str
    system: str
    cpu: str


TARGETS: Final = (
    Target("x86_64", "x86_64-linux", "x86_64"),
    Target("x86_64_v3", "x86_64-linux", "x86_64_v3"),
    Target("x86_64_vnni", "x86_64-linux", "x86_64_v3+avx512vl+avx512vnni"),
    Target("aarch64", "aarch64-linux", "generic"),
)

_FLAGS: Final = (
    "-std=c11",
    "-O3",
    "-fomit-frame-pointer",
    "-ffp-contract=off",  # no fused multiply and add: all machines round alike
    "-fno-sanitize=all",  # zig's default traps overflow
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffreestanding",  # with -nostdlib: nothing of a C library, so that any Linux can load it
    "-nostdlib",
    "-shared",
    "-fPIC",
    "-fvisibility=hidden",
    "-Wl,-z,defs",  # an undefined symbol is an error
    "-s",
)


class CompileCodec(BuildHookInterface[BuilderConfig]):
    """Puts the libraries beside their sources and into the wheel."""

    def dependencies(self) -> list[str]:
        """The compiler, where anything is left to compile."""
        return [COMPILER] if _stale(Path(self.root)) else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile what the sources have outrun."""
        for target in _stale(Path(self.root)):
            self.app.display_info(f"compiling the codec for {target.name}")
            _compile(Path(self.root), target)
        build_data["artifacts"].append(f"/{FOLDER.as_posix()}/*.so")


def digest_of_sources(root: Path) -> str:
    """16 digits that tell two states of the C, or of this file, apart; compiled in as what `codec_version` returns."""
    digest = hashlib.sha256()
    for path in (root / "hatch_build.py", *sorted((root / FOLDER).glob("*.[ch]"))):
        content = path.read_bytes()
        digest.update(f"{path.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _stale(root: Path) -> list[Target]:
    digest = digest_of_sources(root).encode()
    libraries = {target: _library(root, target) for target in TARGETS}
    return [target for target, path in libraries.items() if not (path.is_file() and digest in path.read_bytes())]


def _library(root: Path, target: Target) -> Path:
    return root / FOLDER / f"codec-{target.name}.so"


def _compile(root: Path, target: Target) -> None:
    library = _library(root, target)
    unfinished = library.with_suffix(".so.unfinished")  # a process may have the old one loaded
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target.system, f"-mcpu={target.cpu}", *_FLAGS]
    command += [f'-DCODEC_VERSION="{digest_of_sources(root)}"', "-o", str(unfinished)]
    command += [path.name for path in sorted((root / FOLDER).glob("*.c"))]
    with tempfile.TemporaryDirectory() as cache:  # zig's own is in HOME, which may not be writable
        environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
        subprocess.run(command, cwd=root / FOLDER, env=environment, check=True)
    unfinished.replace(library)
