from __future__ import annotations

import platform
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatch_build import FOLDER, TARGETS, digest_of_sources

from shardmill.errors import UsageError
from shardmill.image.jpeg import library as module
from shardmill.image.jpeg.library import VARIABLE, codec_version, library, runnable, variant

REPOSITORY = Path(__file__).parents[3]
LIBRARIES = [REPOSITORY / FOLDER / f"codec-{target.name}.so" for target in TARGETS]
LEVEL_3 = "flags : pni ssse3 cx16 sse4_1 sse4_2 movbe popcnt xsave avx f16c abm lahf_lm fma bmi1 avx2 bmi2"
ON_X86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="is about variants of x86-64")


@pytest.fixture(autouse=True)
def _loaded_anew() -> Iterator[None]:
    library.cache_clear()
    yield
    library.cache_clear()


@pytest.mark.parametrize("path", LIBRARIES, ids=lambda path: path.stem)
def test_compiled_from_the_sources_beside_it(path: Path) -> None:
    assert digest_of_sources(REPOSITORY).encode() in path.read_bytes(), "stale: install the checkout again"


@pytest.mark.parametrize("path", LIBRARIES, ids=lambda path: path.stem)
def test_needs_nothing_of_a_system(path: Path) -> None:
    undefined, needed = links(path.read_bytes())
    assert (undefined, needed) == (0, 0)


@pytest.mark.oldest
@pytest.mark.parametrize("name", runnable())
def test_every_variant_that_runs_here_answers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, name)
    assert variant() == name
    assert library()._name.endswith(f"codec-{name}.so")
    assert codec_version() == digest_of_sources(REPOSITORY)


def test_best_variant_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert variant() == runnable()[0]


@ON_X86_64
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (f"{LEVEL_3} avx512f avx512vl avx512_vnni", ["x86_64_vnni", "x86_64_v3", "x86_64"]),
        (f"{LEVEL_3} avx512f", ["x86_64_v3", "x86_64"]),
        (LEVEL_3.replace(" fma", ""), ["x86_64"]),
        ("model name : one that tells no flags", ["x86_64"]),
    ],
)
def test_flags_decide(flags: str, expected: list[str], tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\n{flags}\n\nprocessor : 1\n{flags}\n")
    assert runnable(cpuinfo) == expected


@ON_X86_64
def test_processor_that_cannot_be_asked_gets_what_all_run(tmp_path: Path) -> None:
    assert runnable(tmp_path / "none") == ["x86_64"]


def test_variant_that_cannot_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "x86_64_v9")
    with pytest.raises(UsageError, match=f"^{VARIABLE} is 'x86_64_v9', which cannot run here: unset it, or choose of "):
        library()


def test_other_machines_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(UsageError, match="made for Linux on x86_64 and aarch64, and this is linux on riscv64"):
        library()


@pytest.mark.parametrize(("content", "reason"), [(None, "is missing"), (b"\x7fELF", "cannot be loaded")])
def test_broken_installation_says_what_to_do(
    content: bytes | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FOLDER", tmp_path)
    if content is not None:
        (tmp_path / f"codec-{variant()}.so").write_bytes(content)
    with pytest.raises(UsageError, match=rf"^the compiled codec .*\.so {reason}: install shardmill again"):
        library()


def links(elf: bytes) -> tuple[int, int]:
    """How many dynamic symbols of a 64-bit ELF file are undefined, and how many libraries it needs.

    Source: System V ABI, chapters 4 and 5: section headers, the symbol table (SHT_DYNSYM) and DT_NEEDED.
    """
    (offset,) = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    undefined = needed = 0
    for header in range(offset, offset + size * count, size):
        kind, start, length = struct.unpack_from("<4xI16xQQ", elf, header)
        section = elf[start : start + length]
        if kind == 11:  # SHT_DYNSYM, whose first entry is always undefined
            undefined += sum(index == 0 for _, index in struct.iter_unpack("<6sH16x", section)) - 1
        elif kind == 6:  # SHT_DYNAMIC
            needed += sum(tag == 1 for (tag,) in struct.iter_unpack("<Q8x", section))
    return undefined, needed
