"""Where bytes live: reading, listing, and publishing whole files."""

from __future__ import annotations

from shardmill.storage.base import Entry, Store, UnreadableError
from shardmill.storage.open import open_store, scheme_of

__all__ = ["Entry", "Store", "UnreadableError", "open_store", "scheme_of"]
