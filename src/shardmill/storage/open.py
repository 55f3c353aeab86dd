"""From a URL or a path to the store that holds it."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Final

from shardmill.errors import UsageError
from shardmill.storage.base import Store
from shardmill.storage.local import LocalStore
from shardmill.storage.settings import SCHEMES, StorageSettings

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_ONE_SLASH: Final = re.compile(rf"({'|'.join(SCHEMES)}):/?(?=[^/])", re.IGNORECASE)


def scheme_of(url: str) -> str:
    """`gs` for `gs://bucket/x`, empty for a plain path."""
    match = _SCHEME.match(url)
    return match[1].lower() if match else ""


def open_store(url: str, settings: StorageSettings | None = None) -> Store:
    """The store whose root is the folder `url`. Nothing is asked of it yet.

    Raises:
        UsageError: no store speaks this scheme.
    """
    scheme = scheme_of(url)
    if scheme in SCHEMES:
        from shardmill.storage.object_store import ObjectStore  # most runs need none of it

        bucket, _, prefix = url[len(scheme) + 3 :].partition("/")
        if not bucket:
            raise UsageError(f"{url} names no bucket; write it like {scheme}://bucket/folder")
        prefix = prefix.strip("/")
        return ObjectStore(
            f"{SCHEMES[scheme]}://{bucket}{f'/{prefix}' if prefix else ''}", settings or StorageSettings()
        )
    if scheme == "file":
        return LocalStore(str(Path(url.removeprefix("file://")).absolute()))
    if scheme:
        raise UsageError(_unknown(scheme, url))
    if match := _ONE_SLASH.match(url):
        raise UsageError(f"{url} is no URL; write it with two slashes: {match[1]}://{url[match.end() :]}")
    return LocalStore(str(Path(url).expanduser().absolute()))


def resolve(uri: str, base: Store, settings: StorageSettings | None = None) -> tuple[Store, str]:
    """The store that holds `uri`, and its path there: `base` itself, unless `uri` stands for itself."""
    scheme = scheme_of(uri)
    if not scheme:
        elsewhere = uri.startswith("/") and not isinstance(base, LocalStore)
        return (LocalStore("/") if elsewhere else base), uri
    root, slash, path = uri[len(scheme) + 3 :].partition("/")
    if scheme in SCHEMES and slash and path:
        return open_store(f"{scheme}://{root}", settings), path
    store = open_store(uri, settings)
    return store, store.root if isinstance(store, LocalStore) else ""


def _unknown(scheme: str, url: str) -> str:
    close = difflib.get_close_matches(scheme, [*SCHEMES, "file"], n=1, cutoff=0.5)
    if close:
        return f"{scheme}:// is not known: {url}. Did you mean {close[0]}://?"
    return f"{scheme}:// is not supported: {url}. Use a local path, gs:// or s3://; or mount what it names, and name the mount."
