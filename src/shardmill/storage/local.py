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

_UNWRITABLE: Final = frozenset((*_UNREADABLE, errno.EROFS, errno.EEXIST)) - {errno.ENOENT}


@dataclass(frozen=True, slots=True)
class LocalStore:
    """A folder."""

    root: str
    reads_at_once = 1  # the page cache, or the disk, answers at once: threads would only cost

    def _path(self, path: str) -> str:
        return os.path.join(self.root, path)  # noqa: PTH118  # on the hot path, where Path costs ten times as much

    def read(self, path: str, start: int | None = None, length: int | None = None) -> bytes:
        for attempt in range(_READ_ATTEMPTS):
            try:
                return _read(self._path(path), start, length)
            except OSError as error:
                if error.errno in _UNREADABLE or attempt == _READ_ATTEMPTS - 1:
                    raise _read_error(error, path) from error
                time.sleep(0.1 * 4**attempt)
        raise AssertionError("unreachable")

    def size(self, path: str) -> int | None:
        try:
            return os.stat(self._path(path)).st_size  # noqa: PTH116
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return None
            raise _read_error(error, path) from error

    def open(self, path: str) -> BinaryIO:
        try:
            return os.fdopen(_open_file(self._path(path)), "rb")
        except OSError as error:
            raise _read_error(error, path) from error

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
        root, path = Path(self.root), Path(self.root, "_lock")
        try:
            root_is_new, lock_is_new = not root.exists(), not path.exists()
            root.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b")
            before = set(root.iterdir())
        except OSError as error:
            raise _write_error(error, self.root) from error
        with file:
            if not _try_lock(file, path):
                raise UsageError(f"another run is writing to {self.root}; wait for it to end or choose another DEST.")
            _clear_scratch(root / SCRATCH)
            try:
                yield
            finally:
                _clear_scratch(root / SCRATCH)
                if lock_is_new:
                    _leave_untouched(root, path, before, root_is_new=root_is_new)


def _try_lock(file: BinaryIO, path: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):  # the latter: its owner has just removed it, having written nothing
        return False


def _leave_untouched(root: Path, lock: Path, before: set[Path], *, root_is_new: bool) -> None:
    """Take back what locking made, where the run has written nothing else."""
    with suppress(OSError):  # the next run may have come meanwhile, or the whole folder be gone
        if set(root.iterdir()) == before:
            lock.unlink()
            if root_is_new:
                root.rmdir()


def _open_file(path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hang the run
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    return descriptor


def _read(path: str, start: int | None, length: int | None) -> bytes:
    descriptor = _open_file(path)
    try:
        wanted = max(os.fstat(descriptor).st_size - (start or 0), 0)
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
            names = sorted((entry.name, _is_folder(entry)) for entry in scan)
    except OSError as error:
        raise _read_error(error, prefix or folder) from error
    for name, is_folder in names:
        path = f"{prefix}/{name}" if prefix else name
        if is_folder:
            yield from _walk(f"{folder}/{name}", path, (*seen, identity))
            continue
        try:
            yield Entry(path, os.stat(f"{folder}/{name}").st_size)  # noqa: PTH116
        except OSError:  # a dangling link or one without end: named by whoever reads it
            yield Entry(path, None)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link without end
        return False


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


def _read_error(error: OSError, path: str) -> ShardmillError:
    if error.errno in _UNREADABLE:
        return UnreadableError(_UNREADABLE[error.errno], path)
    return ResumableError(
        f"cannot read {path}: {error.strerror}. Check the disk or mount and run the same command again."
    )


def _write_error(error: OSError, path: str) -> ShardmillError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResumableError(
            f"no space left for {path}. Free some and run the same command again: what is done stays done."
        )
    if error.errno in _UNWRITABLE:
        return UsageError(f"cannot write {path}: {error.strerror}. Choose a DEST that you may write to.")
    return ResumableError(
        f"cannot write {path}: {error.strerror}. Check the disk or mount, then run the same command again."
    )
