"""An object read as a file: seekable, in ranges that grow while it is read front to back."""

from __future__ import annotations

import os
from io import RawIOBase
from typing import TYPE_CHECKING, Final, Protocol

from shardmill.errors import ResumableError
from shardmill.storage.objects import Fetched, ObjectFacts

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_FIRST_RANGE: Final = 256 << 10
_MOST_RANGE: Final = 8 << 20


class _Fetches(Protocol):
    def fetch(self, path: str, start: int, length: int | None) -> Fetched: ...


class RemoteFile(RawIOBase):
    """Reads one version of an object; `ResumableError` where it is replaced meanwhile.

    Holds one range, of 256 KiB after a jump and up to 8 MiB while reading goes straight on. A jump to the end drops it, so
    that what is read then comes from the store anew.
    """

    def __init__(self, store: _Fetches, path: str, facts: ObjectFacts) -> None:
        super().__init__()
        self._store, self._path, self._facts = store, path, facts
        self._place = 0
        self._start, self._range = 0, b""
        self._ahead = _FIRST_RANGE

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._facts.size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        if whence == os.SEEK_END and offset == 0:
            self._range = b""
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), max(0, self._facts.size - self._place))
        if wanted == 0:
            return 0
        if not self._start <= self._place < self._start + len(self._range):
            self._fetch(wanted)
        at = self._place - self._start
        part = self._range[at : at + wanted]
        view[: len(part)] = part
        self._place += len(part)
        return len(part)

    def _fetch(self, wanted: int) -> None:
        straight_on = bool(self._range) and self._place == self._start + len(self._range)
        self._ahead = min(self._ahead * 2, _MOST_RANGE) if straight_on else _FIRST_RANGE
        length = min(max(wanted, self._ahead), self._facts.size - self._place)
        self._range = b""  # or both would be held at once
        fetched = self._store.fetch(self._path, self._place, length)
        if fetched.facts.version != self._facts.version or len(fetched.content) != length:
            raise ResumableError(
                f"{self._path} was replaced while it was read. Make sure that no other run writes there, then run the same "
                "command again."
            )
        self._start, self._range = self._place, fetched.content
