"""Listing, with images copied out first where their container cannot be read at random."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from shardmill.errors import UsageError
from shardmill.sources.base import Source
from shardmill.storage import Store


def list_batches(source: Source, dest: Store | None) -> Iterator[pa.RecordBatch]:
    """The rows of `source`."""
    return source.batches()
