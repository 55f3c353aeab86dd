"""Small listings, and the way they take through the plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from shardmill.plan.listing import Census, annotate, in_final_order, number_repeats
from shardmill.sources.base import LISTING
from shardmill.spec import PrepareSpec


def listed(keys: Sequence[str], **columns: Sequence[object]) -> pa.RecordBatch:
    """A batch as a source yields it: each key is its own uri; columns left out are null."""
    given: dict[str, Sequence[object]] = {"key": keys, "uri": keys, **columns}
    arrays = [pa.array(given.get(field.name, [None] * len(keys)), field.type) for field in LISTING]
    return pa.RecordBatch.from_arrays(arrays, schema=LISTING)


def numbered(batches: Iterable[pa.RecordBatch], spec: PrepareSpec, scratch: Path) -> tuple[pa.Table, Census]:
    """The rows with splits decided and repeats numbered, in listing order."""
    census = Census()
    annotated = list(annotate(batches, spec, census, lambda rows: None))  # the census is complete before the numbering
    rows = pa.Table.from_batches(number_repeats(annotated, scratch, census))
    return rows.sort_by("_ordinal"), census


def ordered(batches: Iterable[pa.RecordBatch], spec: PrepareSpec, scratch: Path) -> list[pa.RecordBatch]:
    """The rows as they are cut into shards."""
    rows, _ = numbered(batches, spec, scratch)
    return list(in_final_order(rows.to_batches(), spec, scratch))


def keys_of(rows: pa.Table | Iterable[pa.RecordBatch]) -> list[Any]:
    """The keys, in order."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_batches(rows)
    keys: list[Any] = table["key"].to_pylist()
    return keys
