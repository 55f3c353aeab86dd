"""Where bytes live: reading, listing, and publishing whole files."""

from __future__ import annotations

from shardmill.storage.base import Entry, Store, UnreadableError
from shardmill.storage.open import open_store, resolve, scheme_of
from shardmill.storage.settings import SCHEMES, StorageSettings, parse_settings

__all__ = [
    "SCHEMES",
    "Entry",
    "StorageSettings",
    "Store",
    "UnreadableError",
    "open_store",
    "parse_settings",
    "resolve",
    "scheme_of",
]
