"""The seam behind which file systems and object stores sit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from shardmill.errors import UsageError


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a listing."""

    path: str
    """Relative to the store's root, with `/`."""
    size: int | None
    """Bytes; None where it could not be told (a dangling link)."""


class UnreadableError(UsageError):
    """A file that no retry will make readable: it is absent, forbidden, or not a file."""

    def __init__(self, reason: str, path: str) -> None:
        super().__init__(reason, path)
        self.reason, self.path = reason, path

    def __str__(self) -> str:
        return f"cannot read {self.path}: {self.reason.replace('_', ' ')}. Check the path and its permissions."


class Store(Protocol):
    """A tree of files under one root.

    Paths are relative to `root` with `/`; one that begins with `/` or names a scheme stands for itself. Failures of
    transport are retried, then raised as `ResumableError`; what no retry can mend is an `UnreadableError` on reading and
    a `UsageError` on writing. Pickles; safe to use from several threads.
    """

    @property
    def root(self) -> str: ...

    @property
    def reads_at_once(self) -> int:
        """How many files to read at a time, since each takes long to begin; 1 where one after the other is as fast."""
        ...

    def read(self, path: str, start: int | None = None, length: int | None = None) -> bytes:
        """The whole file, or `length` bytes from `start` (fewer where the file ends)."""
        ...

    def size(self, path: str) -> int | None:
        """Bytes of the file, or None where there is none. The empty path is the root: None where that is gone."""
        ...

    def open(self, path: str) -> BinaryIO:
        """The file for reading: buffered and seekable."""
        ...

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every file below the folder `prefix`, sorted by path within each folder; hidden ones included."""
        ...

    def publish(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A file to write that appears under `path`, whole, when the block ends without an error, and never otherwise.

        Where the store can tell, a file that another run has put there since the block began is left alone: that is
        success if it holds the same bytes, and a `ResumableError` if not.
        """
        ...

    def remove(self, path: str) -> None:
        """Delete the file; nothing happens where there is none."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Hold the root against other runs; `UsageError` where one holds it.

        Released when this process ends, however it does; on an object store, a minute after that at the latest.
        """
        ...
