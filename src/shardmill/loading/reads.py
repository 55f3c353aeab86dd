"""Bytes of records: ranges of shards that stay open on this machine's disks, and of objects in stores."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from typing import Final, Protocol

from shardmill.dataset import Dataset
from shardmill.errors import ResumableError
from shardmill.storage import Store
from shardmill.storage.local import LocalStore

_MOST_OPEN: Final = 128


class RangeReader(Protocol):
    """Reads ranges of files. Safe to use from several threads, and after a fork; pickles."""

    @property
    def parallel(self) -> int:
        """Reads that are worth having on their way at once, beyond those of the threads that decode; 0 on local disks."""
        ...

    def read(self, name: str, offset: int, length: int) -> bytes:
        """`length` bytes of the file, fewer where it ends."""
        ...


def range_reader(dataset: Dataset) -> RangeReader:
    """The reader for the store that holds `dataset`."""
    store = dataset.store
    return LocalRanges(store.root) if isinstance(store, LocalStore) else StoreRanges(store)


class LocalRanges:
    """Files below a folder, some of which stay open."""

    parallel = 0

    def __init__(self, root: str) -> None:
        self._root = root
        self._open: OrderedDict[str, _OpenFile] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[LocalRanges], tuple[str]]:
        return LocalRanges, (self._root,)

    def read(self, name: str, offset: int, length: int) -> bytes:
        file = self._file(name)
        try:
            block = os.pread(file.descriptor, length, offset)
            while len(block) < length and (more := os.pread(file.descriptor, length - len(block), offset + len(block))):
                block += more
        except OSError as error:
            raise ResumableError(
                f"cannot read {name} in {self._root}: {error.strerror}. Check the disk or mount, then go on from the last state."
            ) from error
        return block

    def _file(self, name: str) -> _OpenFile:
        with self._lock:
            file = self._open.get(name)
            if file is None:
                file = self._open[name] = _OpenFile(os.path.join(self._root, name))  # noqa: PTH118
                if len(self._open) > _MOST_OPEN:
                    self._open.popitem(last=False)  # closed when the last thread that reads from it lets go
            else:
                self._open.move_to_end(name)
            return file


class _OpenFile:
    """Closed when nobody holds it any more."""

    def __init__(self, path: str) -> None:
        try:
            self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise ResumableError(f"cannot open {path}: {error.strerror}. See `shardmill verify`.") from error
        weakref.finalize(self, os.close, self.descriptor)


class StoreRanges:
    """Objects of a store: each read takes a request, so many are under way at once."""

    parallel = 32

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, name: str, offset: int, length: int) -> bytes:
        return self._store.read(name, offset, length)
