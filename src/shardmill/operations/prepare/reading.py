"""Reads what a listing names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from shardmill.errors import ResumableError
from shardmill.sources.base import STAGED
from shardmill.sources.names import to_path
from shardmill.storage import SCHEMES, StorageSettings, Store, UnreadableError, resolve
from shardmill.storage.settings import REQUESTS_AT_ONCE

_FIRST_LOOK: Final = 1 << 20
"""Read ahead of an image whose size nobody knows, which is more than most have; a longer one is read when its turn comes."""


@dataclass(frozen=True, slots=True)
class ListedReader:
    """Reads the inputs of a listing. Safe to use from several threads."""

    source: Store
    staged_in: Store | None
    """DEST, where the source's images were copied there."""
    most_bytes: int
    settings: StorageSettings
    """How object stores are reached that a uri itself may name."""

    def at_once(self, uris: pa.ChunkedArray) -> int:
        """How many of these inputs to read at a time."""
        stores = [self.source] if self.staged_in is None else [self.source, self.staged_in]
        most = max(store.reads_at_once for store in stores)
        named = pc.any(pc.match_substring_regex(uris, f"^({'|'.join(SCHEMES)})://", ignore_case=True)).as_py()
        return max(most, REQUESTS_AT_ONCE) if named else most

    def cost(self, row: Sized) -> int:
        """Bytes of memory that `ahead` takes for an input, at most."""
        return _FIRST_LOOK if row.size is None else min(row.size, self.most_bytes)

    def ahead(self, uri: str, offset: int | None, size: int | None) -> bytes:
        """`read`, or the beginning where the size is not known and turns out to be large."""
        return self._read(uri, offset, size, min(self.most_bytes, _FIRST_LOOK))

    def whole(self, uri: str, offset: int | None, size: int | None, ahead: bytes) -> bytes:
        """All of the input of which `ahead` was read."""
        cut_short = size is None and len(ahead) > _FIRST_LOOK and self.most_bytes > _FIRST_LOOK
        return self.read(uri, offset, size) if cut_short else ahead

    def read(self, uri: str, offset: int | None, size: int | None) -> bytes:
        """The bytes of one input; where it lies within a larger file, `size` of them from `offset`.

        A whole file is read a byte further than `size`, or than `most_bytes`, so that one that has grown is told.

        Raises:
            UnreadableError: this input cannot be read.
            ResumableError: none can: the source is gone, or the disk or the network fails.
            UsageError: it lies in a store that is not supported, or whose bucket or credentials are not right.
        """
        return self._read(uri, offset, size, self.most_bytes)

    def _read(self, uri: str, offset: int | None, size: int | None, most_bytes: int) -> bytes:
        if self.staged_in is not None and uri.startswith(STAGED):
            try:
                return self.staged_in.read(uri.removeprefix(STAGED), offset, size)
            except UnreadableError as error:
                raise ResumableError(
                    f"{error.path} in {self.staged_in.root} is gone, which held copies of images. Run it again."
                ) from error
        path = to_path(uri)
        if not path:
            raise UnreadableError("not_found", path)
        store, path = resolve(path, self.source, self.settings)
        try:
            if offset is not None:
                return store.read(path, offset, size)
            return store.read(path, None, (most_bytes if size is None else size) + 1)
        except UnreadableError as error:
            if error.reason == "not_found" and store.size("") is None:
                raise ResumableError(
                    f"the source {store.root} is gone. Bring it back and run the same command again."
                ) from error
            raise


class Sized(Protocol):
    """What `ListedReader.cost` needs to know."""

    @property
    def size(self) -> int | None: ...
