"""Follows the how-to pages as a reader would: every command, from the first to the last, in one new folder.

A block of `sh` or `python` is run unless it is marked: `cloud` (needs an account), `cluster` (needs machines of the
reader's) or `elsewhere` (is for another terminal or system). `exits-N` says with which code the block's last command ends.
A block with `file=NAME` is the whole of a file that the reader writes; it stands in docs/how-to/examples too, where the
checks of the repository see it. What a page installs is installed beside the environment, without a network.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shardmill.operations.demo.images import draw_images
from tests.docs.pages import EXAMPLES, Block, blocks, how_to_pages
from tests.stores import StoreServer, upload

_NOT_RUN = {"cloud", "cluster", "elsewhere"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures") / "photos"
    draw_images(folder, 60)
    return folder


def _marked(page: Path) -> object:
    marks = [pytest.mark.slow, pytest.mark.timeout(1800)]
    text = page.read_text()
    if any("spark" in block.text and not _NOT_RUN & {*block.marks} for block in blocks(text)):
        marks.append(pytest.mark.spark)
    return pytest.param(page, marks=marks, id=page.stem)


@pytest.mark.parametrize("page", [_marked(page) for page in how_to_pages()])
def test_the_page_can_be_followed(
    page: Path, photos: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["cp", "-r", photos, tmp_path / "photos"], check=True)
    if page.stem == "from-a-bucket":
        for fixture in ("gcs", "s3"):
            server: StoreServer = request.getfixturevalue(fixture)
            server.make_bucket("my-bucket")
            upload(server, photos, "my-bucket", "photos")
            for name, value in server.environment.items():
                monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    _install_beside(tmp_path / "installed", monkeypatch)
    followed = [block for block in blocks(page.read_text()) if block.language in ("sh", "python") or block.file]
    assert followed, "a how-to page without a command"
    for block in followed:
        if block.file:
            (tmp_path / block.file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.file).write_text(block.text)
        elif not _NOT_RUN & {*block.marks}:
            _follow(block, tmp_path)


def _install_beside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `pip install` put packages into `folder`, where all processes find them; what builds them is here already."""
    options = {"TARGET": str(folder), "NO_DEPS": "1", "NO_INDEX": "1", "NO_BUILD_ISOLATION": "0"}  # 0: not isolated
    for name, value in options.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def _follow(block: Block, folder: Path) -> None:
    expected = next((int(mark.removeprefix("exits-")) for mark in block.marks if mark.startswith("exits-")), 0)
    command = [sys.executable, "-c", block.text] if block.language == "python" else ["bash", "-euc", block.text]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == expected, f"{block.text}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr


def test_marks_are_known() -> None:
    marks = {mark for page in how_to_pages() for block in blocks(page.read_text()) for mark in block.marks}
    assert {mark for mark in marks if not mark.startswith(("exits-", "file="))} <= _NOT_RUN


def test_files_on_pages_are_those_of_the_examples() -> None:
    written = [block for page in how_to_pages() for block in blocks(page.read_text()) if block.file]
    shown = {block.file: block.text for block in written if block.language in ("python", "toml")}
    files = {
        str(path.relative_to(EXAMPLES)): path.read_text()
        for path in EXAMPLES.rglob("*")
        if path.suffix in (".py", ".toml") and not path.name.startswith(".")
    }
    assert shown == files
