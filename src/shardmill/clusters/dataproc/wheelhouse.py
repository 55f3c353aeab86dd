"""Brings this package and what it needs to machines that reach the bucket and nothing else.

All wheels go into the bucket once, as one archive under the hash of what is in them, beside the script that installs them
on each machine (docs/decisions/0030). Built from the installed package itself, so that no checkout is needed.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

import shardmill
from shardmill.errors import UsageError
from shardmill.storage.base import Store
from shardmill.storage.open import open_store

ARCHIVE: Final = "wheels.tar"
SCRIPT: Final = "install.sh"

_PLATFORMS: Final = ("manylinux_2_35", "manylinux_2_34", "manylinux_2_31", "manylinux_2_28", "manylinux_2_27")
_PLATFORMS_OLD: Final = ("manylinux_2_24", "manylinux_2_17", "manylinux2014", "manylinux2010", "manylinux1", "linux")
"""Debian 12, on which the images are built, has glibc 2.36."""

_EXTRA: Final = "gcp"
_ONLY_HERE: Final = ("google-cloud-",)
"""Of that extra, what makes clusters and is of no use on one."""
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_NOT_OF_A_WHEEL: Final = (".c", ".h")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_DOWNLOAD_TIMEOUT_S: Final = 900


def publish_wheelhouse(root: str, python: str, home: str) -> str:
    """Put the wheels for Python `python` below the URL `root`, unless they are there; the URL of the script.

    Args:
        root: a folder in the bucket.
        python: of the machines, as in `3.11`.
        home: folder of the virtual environment to make on each.

    Raises:
        UsageError: the wheels cannot be had.
    """
    folder = wheelhouse_folder(root, python, home)
    store = open_store(folder)
    if store.size(SCRIPT) is None:
        with tempfile.TemporaryDirectory() as scratch:
            _upload(store, ARCHIVE, build(Path(scratch), python))
        with store.publish(SCRIPT) as file:  # last: who finds it finds the archive
            file.write(install_script(f"{folder}/{ARCHIVE}", python, home).encode())
    return f"{folder}/{SCRIPT}"


def wheelhouse_folder(root: str, python: str, home: str) -> str:
    """Where the wheels of this package, as it is, belong: the same for the same content, whoever asks and wherever."""
    digest = hashlib.sha256("\n".join([*requirements(), python, home]).encode())
    for name, content in _sources():
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
    return f"{root}/wheels/{digest.hexdigest()[:20]}"


def requirements() -> list[str]:
    """What a machine needs beside this package, in the very versions that are installed here: so bytes stay the same."""
    lines = []
    for requirement in metadata.requires("shardmill") or ():
        text, _, marker = requirement.partition(";")
        match = _NAME.match(text)
        assert match is not None
        wanted = not marker.strip() or marker.strip() in (f'extra == "{_EXTRA}"', f"extra == '{_EXTRA}'")
        if wanted and not match[0].startswith(_ONLY_HERE):
            lines.append(f"{match[0]}=={metadata.version(match[0])}")
    return sorted(lines)


def install_script(archive_url: str, python: str, home: str) -> str:
    """What each machine runs."""
    template = Path(__file__).with_name(SCRIPT).read_text(encoding="utf-8")
    return template.replace("@WHEELS@", archive_url).replace("@PYTHON@", python).replace("@HOME@", home)


def build(scratch: Path, python: str) -> Path:
    """An archive with a folder `wheels` of everything, `requirements.txt` included."""
    wheels, lines = scratch / "wheels", requirements()
    wheels.mkdir()
    own_wheel(wheels)
    _download(lines, python, wheels)
    (wheels / "requirements.txt").write_text("\n".join([*lines, f"shardmill=={shardmill.__version__}"]) + "\n")
    with tarfile.open(scratch / ARCHIVE, "w") as archive:
        archive.add(wheels, "wheels")
    return scratch / ARCHIVE


def own_wheel(folder: Path) -> Path:
    """A wheel of this package as it runs here, from a checkout or not."""
    stem = f"shardmill-{shardmill.__version__}"
    info = f"{stem}.dist-info"
    members = {f"shardmill/{name}": content for name, content in _sources()}
    distribution = metadata.distribution("shardmill")
    for name in ("METADATA", "entry_points.txt"):
        members[f"{info}/{name}"] = (distribution.read_text(name) or "").encode()
    members[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: shardmill\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{name},sha256={_urlsafe(content)},{len(content)}\n" for name, content in members.items())
    members[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            wheel.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path


def _sources() -> Iterator[tuple[str, bytes]]:
    package = Path(shardmill.__file__).parent
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in _NOT_OF_A_WHEEL:
            yield path.relative_to(package).as_posix(), path.read_bytes()


def _download(lines: list[str], python: str, folder: Path) -> None:
    digits = python.replace(".", "")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--dest", str(folder), "--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    command += [f"--abi={abi}" for abi in (f"cp{digits}", "abi3", "none")]
    command += [f"--platform={platform}_x86_64" for platform in (*_PLATFORMS, *_PLATFORMS_OLD)]
    try:
        run = subprocess.run(
            [*command, *lines], capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError(
            f"pip did not fetch the wheels for the machines in {_DOWNLOAD_TIMEOUT_S} s; try again"
        ) from error
    if run.returncode != 0:
        said = [line for line in run.stderr.splitlines() if line.startswith("ERROR")] or run.stderr.splitlines()
        reason = (said or ["it says nothing"])[-1].removeprefix("ERROR: ").rstrip(".")
        raise UsageError(
            f"the wheels for the machines (Python {python}, Linux) cannot be fetched: {reason}. "
            "Check that this Python has pip and reaches its package index, and that the installed versions have wheels."
        )


def _upload(store: Store, name: str, path: Path) -> None:
    with path.open("rb") as source, store.publish(name) as target:
        while piece := source.read(1 << 20):
            target.write(piece)


def _urlsafe(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
