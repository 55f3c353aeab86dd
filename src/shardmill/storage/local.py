"""Files of this machine, and of whatever it has mounted."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from shardmill.errors import ResumableError, ShardmillError, UsageError
from shardmill.storage.base import Entry, UnreadableError

SCRATCH: Final = "_tmp"
"""Holds files that are being written; whatever is left in it is rubbish."""

_READ_ATTEMPTS: Final = 3
_UNREADABLE: Final = {
    errno.ENOENT: "not_found",
    errno.ENOTDIR: "not_found",
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
    errno.EISDIR: "not_a_file",
    errno.ELOOP: "not_a_file",
    errno.ENXIO: "not_a_file",
    errno.ENAMETOOLONG: "name_too_long",
}


@dataclass(frozen=True, slots=True)
class LocalStore:
    """A folder."""

    root: str

    def _path(self, path: str) -> str:
        return os.path.join(self.root, path)  # noqa: PTH118  # on the hot path, where Path costs ten times as much

    def read(self, path: str, start: int | None = None, length: int | None = None) -> bytes:
        for attempt in range(_READ_ATTEMPTS):
            try:
                return _read(self._path(path), start, length)
            except OSError as error:
                if error.errno in _UNREADABLE:
                    raise UnreadableError(_UNREADABLE[error.errno], path) from error
                if attempt == _READ_ATTEMPTS - 1:
                    raise ResumableError(
                        f"cannot read {path}: {error.strerror}. Check the disk or mount, then run the same command again."
                    ) from error
                time.sleep(0.1 * 4**attempt)
        raise AssertionError("unreachable")

    def size(self, path: str) -> int | None:
        try:
            return os.stat(self._path(path)).st_size  # noqa: PTH116
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return None
            raise _write_error(error, path) from error

    def open(self, path: str) -> BinaryIO:
        try:
            return Path(self._path(path)).open("rb")
        except OSError as error:
            raise UnreadableError(_UNREADABLE.get(error.errno or 0, "not_found"), path) from error

    def list(self, prefix: str = "") -> Iterator[Entry]:
        return _walk(self._path(prefix) if prefix else self.root, prefix.strip("/"), ())

    @contextmanager
    def publish(self, path: str) -> Iterator[BinaryIO]:
        final = Path(self._path(path))
        scratch = Path(self.root, SCRATCH, uuid.uuid4().hex)
        try:
            scratch.parent.mkdir(parents=True, exist_ok=True)
            with scratch.open("xb", buffering=1 << 20) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(scratch, final)  # noqa: PTH105
            _sync_folder(final.parent)
        except OSError as error:
            raise _write_error(error, path) from error
        finally:
            with suppress(FileNotFoundError, NotADirectoryError):
                scratch.unlink()

    def remove(self, path: str) -> None:
        try:
            Path(self._path(path)).unlink(missing_ok=True)
        except OSError as error:
            raise _write_error(error, path) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        try:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            file = Path(self.root, "_lock").open("a+b")  # noqa: SIM115  # entered below, once it is known to open
        except OSError as error:
            raise _write_error(error, self.root) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(
                    f"another run is writing to {self.root}; wait for it to end or choose another DEST."
                ) from error
            _clear_scratch(Path(self.root, SCRATCH))
            try:
                yield
            finally:
                _clear_scratch(Path(self.root, SCRATCH))


def _read(path: str, start: int | None, length: int | None) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hang the run
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        wanted = max(status.st_size - (start or 0), 0)
        if length is not None:
            wanted = min(wanted, length)
        if start:
            os.lseek(descriptor, start, os.SEEK_SET)
        first = os.read(descriptor, wanted)
        if len(first) == wanted:
            return first
        parts = [first]
        while parts[-1] and wanted > (have := sum(map(len, parts))):
            parts.append(os.read(descriptor, wanted - have))
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _walk(folder: str, prefix: str, seen: tuple[tuple[int, int], ...]) -> Iterator[Entry]:
    try:
        status = os.stat(folder)  # noqa: PTH116
        identity = (status.st_dev, status.st_ino)
        if identity in seen:  # a link back to a folder above
            return
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        if error.errno in _UNREADABLE:
            raise UnreadableError(_UNREADABLE[error.errno], prefix or folder) from error
        raise ResumableError(
            f"cannot list {prefix or folder}: {error.strerror}. Check the disk or mount and run it again."
        ) from error
    for entry in entries:
        path = f"{prefix}/{entry.name}" if prefix else entry.name
        try:
            if entry.is_dir():
                yield from _walk(entry.path, path, (*seen, identity))
                continue
            size = entry.stat().st_size
        except OSError:  # a dangling link or one without end: named by whoever reads it
            size = None
        yield Entry(path, size)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _clear_scratch(folder: Path) -> None:
    with suppress(OSError):  # a late writer of a lost worker may still be at it, or the whole folder be gone
        for leftover in folder.iterdir():
            leftover.unlink(missing_ok=True)
        folder.rmdir()


def _write_error(error: OSError, path: str) -> ShardmillError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResumableError(
            f"no space left for {path}. Free some and run the same command again: what is done stays done."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return UsageError(f"cannot write {path}: {error.strerror}. Choose a DEST that you may write to.")
    return ResumableError(
        f"cannot write {path}: {error.strerror}. Check the disk or mount, then run the same command again."
    )
