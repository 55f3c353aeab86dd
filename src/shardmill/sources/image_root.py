"""Where the relative locations of a list begin."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from shardmill.sources.locations import uri_of
from shardmill.sources.names import to_path
from shardmill.sources.table import ListSource
from shardmill.storage import Store

_PROBED: Final = 20


def find_image_root(source: ListSource, store: Store, list_name: str) -> str:
    """The list's folder; or the folder beside the list that is called like it, where the first images are only there.

    So `photos.csv` may name `a.jpg` and mean `photos/a.jpg`, as many published lists do.
    """
    first = next(source.batches(), None)
    if first is None:
        return store.root
    uris = [uri_of(uri) for uri in first.column("uri").slice(0, _PROBED).to_pylist()]
    relative = [to_path(uri) for uri in uris if uri and not uri.startswith("/") and "://" not in uri]
    folder = PurePosixPath(list_name).with_suffix("").as_posix()
    beside = any(store.size(path) is not None for path in relative)
    below = any(store.size(f"{folder}/{path}") is not None for path in relative)
    return f"{store.root}/{folder}" if below and not beside else store.root
