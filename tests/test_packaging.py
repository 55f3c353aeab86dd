from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from hatch_build import TARGETS

REPOSITORY = Path(__file__).parents[1]
CODEC = "shardmill/image/jpeg"


def test_one_wheel_carries_the_codecs_of_all_machines_and_no_source(tmp_path: Path) -> None:
    path = built("wheel", tmp_path)
    assert path.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
    assert {name for name in names if name.endswith(".so")} == {f"{CODEC}/codec-{each.name}.so" for each in TARGETS}
    assert not [name for name in names if name.endswith((".c", ".h", ".unfinished"))]


def test_source_distribution_can_be_built_from(tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    sources = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "src" / CODEC).glob("*.[ch]")}
    assert sources
    assert {"hatch_build.py", "pyproject.toml", *sources} <= names
    assert not [name for name in names if name.endswith(".so")]


def built(target: str, folder: Path) -> Path:
    """What Hatchling makes of the checkout, whose codecs are compiled already, so that it needs no compiler."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (path,) = folder.iterdir()
    return path
