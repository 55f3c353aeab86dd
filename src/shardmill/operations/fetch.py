"""Public image sets to try things on: fetched once, compared with a checksum, unpacked."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from shardmill.arguments import checked
from shardmill.errors import DamageError, ResumableError, UsageError
from shardmill.units import format_bytes

_CHUNK: Final = 1 << 20
_TIMEOUT_S: Final = 30.0
_ATTEMPTS: Final = 5
"""Connections in a row that bring nothing new before the download is given up."""


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A set that somebody publishes."""

    url: str
    bytes: int
    sha256: str
    folder: str
    """The archive's only folder at the top, of class folders."""
    licence: str


@dataclass(frozen=True, slots=True)
class FetchResult:
    """Where the images are."""

    folder: str
    images: int
    licence: str
    already_there: bool


SETS: Final[Mapping[str, PublicSet]] = {
    "flowers": PublicSet(  # size and checksum as tensorflow_datasets' catalogue has them
        url="http://download.tensorflow.org/example_images/flower_photos.tgz",
        bytes=228_813_984,
        sha256="4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
        folder="flower_photos",
        licence="Photographs from Flickr under CC-BY 2.0; LICENSE.txt in the folder names the author of each.",
    )
}


@checked
def fetch(
    name: Literal["flowers"],
    dest: str | None = None,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> FetchResult:
    """Fetch a public set of images; a download that was cut off goes on where it stopped.

    Args:
        name: Which set: flowers, 3,670 photographs of five classes, 229 MB.
        dest: Folder for the class folders; by default a folder called like the set, here.
        on_progress: Called with the bytes that are there and those in all.

    Raises:
        UsageError: no such set, or `dest` holds something else.
        ResumableError: the network did not bring all of it; the same call goes on.
        DamageError: what came is not what was published; it is deleted.
    """
    if name not in SETS:
        raise UsageError(f"no public set {name!r}; there is: {', '.join(SETS)}")
    chosen, folder = SETS[name], Path(dest or name).expanduser()
    if folder.exists():
        if not folder.is_dir() or not (folder / "LICENSE.txt").is_file():
            raise UsageError(f"{folder} is there and is not the set {name}; name another folder.")
        return FetchResult(str(folder), _count_images(folder), chosen.licence, already_there=True)
    part = folder.with_name(f"{folder.name}.download")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _download(chosen, part, on_progress)
        _unpack(chosen, part, folder)
    except OSError as error:
        raise ResumableError(
            f"cannot write {folder}: {error.strerror or error}. Make room, and run it again."
        ) from error
    part.unlink()
    return FetchResult(str(folder), _count_images(folder), chosen.licence, already_there=False)


def _download(chosen: PublicSet, part: Path, on_progress: Callable[[int, int], None] | None) -> None:
    """Bring `part` to its whole length, from wherever it stands, and compare its checksum."""
    idle = 0
    while (have := part.stat().st_size if part.exists() else 0) < chosen.bytes:
        reason = _continue(chosen, part, have, on_progress)
        idle = 0 if part.exists() and part.stat().st_size > have else idle + 1
        if idle == _ATTEMPTS:
            raise ResumableError(
                f"{chosen.url} cannot be fetched ({reason}); {format_bytes(have)} of {format_bytes(chosen.bytes)} are "
                "kept. Check the network, and run the same command again."
            )
        if idle:
            time.sleep(0.2 * 2**idle)
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != chosen.sha256:
        part.unlink()
        raise DamageError(f"what {chosen.url} sent is not what was published (SHA-256 {digest}); run it again.")


def _continue(chosen: PublicSet, part: Path, have: int, on_progress: Callable[[int, int], None] | None) -> str:
    """Append what one connection brings; why it ended early, or nothing."""
    request = urllib.request.Request(chosen.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            kept = have if answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0
            with part.open("r+b" if kept else "wb") as file:
                file.seek(kept)
                while chunk := answer.read(min(_CHUNK, max(chosen.bytes - kept, 1))):
                    file.write(chunk)
                    kept += len(chunk)
                    if on_progress:
                        on_progress(kept, chosen.bytes)
                    if kept >= chosen.bytes:
                        break
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    return "the connection ended early"


def _unpack(chosen: PublicSet, archive: Path, folder: Path) -> None:
    scratch = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        (scratch / chosen.folder).rename(folder)
    except tarfile.TarError as error:
        raise DamageError(
            f"{archive} cannot be unpacked ({error}); delete it, and run the same command again."
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _count_images(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*/*.jpg"))
