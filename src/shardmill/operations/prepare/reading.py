"""Reads what a listing names."""

from __future__ import annotations

from shardmill.errors import ResumableError
from shardmill.sources.base import STAGED
from shardmill.sources.names import to_path
from shardmill.storage import StorageSettings, Store, UnreadableError, resolve


def read_listed(
    uri: str,
    offset: int | None,
    size: int | None,
    source: Store,
    staged_in: Store | None,
    most_bytes: int,
    settings: StorageSettings | None = None,
) -> bytes:
    """The bytes of one input; where it lies within a larger file, `size` of them from `offset`.

    A whole file is read a byte further than `size`, or than `most_bytes`, so that one that has grown is told.

    Args:
        staged_in: DEST, where the source's images were copied there.
        settings: how object stores are reached that `uri` itself may name.

    Raises:
        UnreadableError: this input cannot be read.
        ResumableError: none can: the source is gone, or the disk fails.
        UsageError: it lies in a store that is not supported.
    """
    if staged_in is not None and uri.startswith(STAGED):
        try:
            return staged_in.read(uri.removeprefix(STAGED), offset, size)
        except UnreadableError as error:
            raise ResumableError(
                f"{error.path} in {staged_in.root} is gone, which held copies of images. Run it again."
            ) from error
    path = to_path(uri)
    if not path:
        raise UnreadableError("not_found", path)
    store, path = resolve(path, source, settings)
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
