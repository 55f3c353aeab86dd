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

    def read(self, path: str, start: int | None = None, length: int | None = None) -> bytes:
        """The whole file, or `length` bytes from `start` (fewer where the file ends)."""
        ...

    def size(self, path: str) -> int | None:
        """Bytes of the file, or None where there is none."""
        ...

    def open(self, path: str) -> BinaryIO:
        """The file for reading: buffered and seekable."""
        ...

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every file below the folder `prefix`, sorted by path within each folder; hidden ones included."""
        ...

    def publish(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A file to write that appears under `path`, whole, when the block ends without an error, and never otherwise."""
        ...

    def remove(self, path: str) -> None:
        """Delete the file; nothing happens where there is none."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Hold the root against other runs; `UsageError` where one holds it. Released when this process ends, however."""
        ...
