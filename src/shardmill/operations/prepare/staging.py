"""Copies images out of containers that cannot be read at random, while they are listed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO, Final

import pyarrow as pa

from shardmill.sources.base import STAGED, Source, StagedSource
from shardmill.storage import Store

_FOLDER: Final = "_plan"
_BLOB_BYTES: Final = 256_000_000


def _blob_name(number: int) -> str:
    return f"{_FOLDER}/staged-{number:05d}.bin"


class _Blobs:
    """Images one behind the other in files of DEST."""

    def __init__(self, dest: Store, stack: ExitStack) -> None:
        """The file that is open is published when it is full or `stack` ends, and dropped when that ends in an error."""
        self._dest = dest
        self._stack = stack.enter_context(ExitStack())
        self._file: BinaryIO | None = None
        self._name = ""
        self._size = self._count = 0

    def add(self, image: bytes) -> tuple[str, int]:
        if self._file is None:
            self._name = _blob_name(self._count)
            self._file = self._stack.enter_context(self._dest.publish(self._name))
            self._size, self._count = 0, self._count + 1
        offset = self._size
        self._file.write(image)
        self._size += len(image)
        name = self._name
        if self._size >= _BLOB_BYTES:
            self._stack.close()
            self._file = None
        return STAGED + name, offset


class _Nowhere:
    """For a look without writing: the uri names nothing."""

    def add(self, image: bytes) -> tuple[str, int]:
        return STAGED, 0


def list_batches(source: Source | StagedSource, dest: Store | None) -> Iterator[pa.RecordBatch]:
    """The rows of `source`; images that must be copied go to DEST, or nowhere where `dest` is None."""
    if not isinstance(source, StagedSource):
        yield from source.batches()
        return
    if dest is None:
        yield from source.staged_batches(_Nowhere())
        return
    with ExitStack() as stack:
        yield from source.staged_batches(_Blobs(dest, stack))


def has_staged(dest: Store) -> bool:
    """Whether copies are there."""
    return dest.size(_blob_name(0)) is not None


def remove_staged(dest: Store) -> None:
    """Delete the copies; the shards hold what was made of them."""
    for entry in list(dest.list(_FOLDER)):
        if entry.path.startswith(f"{_FOLDER}/staged-"):
            dest.remove(entry.path)
