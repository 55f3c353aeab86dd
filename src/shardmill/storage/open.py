"""From a URL or a path to the store that holds it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from shardmill.errors import UsageError
from shardmill.storage.base import Store
from shardmill.storage.local import LocalStore

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def scheme_of(url: str) -> str:
    """`gs` for `gs://bucket/x`, empty for a plain path."""
    match = _SCHEME.match(url)
    return match[1].lower() if match else ""


def open_store(url: str) -> Store:
    """The store whose root is the folder `url`.

    Raises:
        UsageError: no store speaks this scheme.
    """
    scheme = scheme_of(url)
    if scheme == "file":
        return LocalStore(str(Path(url.removeprefix("file://")).absolute()))
    if scheme:
        raise UsageError(
            f"{scheme}:// is not supported: {url}. Use a local path, or mount the bucket and name the mount."
        )
    return LocalStore(str(Path(url).expanduser().absolute()))
