"""Writes a samples table anew after records were lost."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shardmill.dataset import Shard
from shardmill.formats.base import Placement
from shardmill.image.base import PixelSums
from shardmill.layout import SUMMARY_KEY
from shardmill.storage import Store

_ROWS_PER_GROUP: Final = 1 << 13


def rewrite_samples(
    store: Store,
    shard: Shard,
    kept: Mapping[int, Placement],
    reasons: Mapping[int, str],
    behind: str,
    entry: Mapping[str, Any],
    sums: PixelSums | None,
) -> str:
    """Publish the table with the records in `kept` at their new places and the other written ones `lost`.

    Args:
        store: Holds the data set.
        shard: Whose table it is.
        kept: New place by old record number, in the order of the new shard.
        reasons: Kind of damage by old record number.
        behind: Kind of damage of lost records without one of their own.
        entry: The manifest's new entry; the summary inside the table follows it.
        sums: Of the pixels of the records kept; None where all were.

    Returns:
        SHA-256 of the new table.
    """
    with store.open(shard.samples_name) as file:
        table = pq.read_table(file)
    with store.open(shard.samples_name) as file:
        metadata: dict[bytes, bytes] = pq.read_metadata(file).metadata or {}
    numbers = {old: new for new, old in enumerate(kept)}
    columns: dict[str, list[Any]] = {
        name: table[name].to_pylist() for name in ("status", "reason", "error", "index", "offset", "length")
    }
    for place, old in enumerate(list(columns["index"])):
        if columns["status"][place] != "written":
            continue
        if old in kept:
            new = (numbers[old], kept[old].offset, kept[old].length)
            columns["index"][place], columns["offset"][place], columns["length"][place] = new
        else:
            reason = reasons.get(old, behind)
            columns["status"][place], columns["reason"][place] = "lost", reason
            columns["error"][place] = f"its record in the shard was damaged ({reason}) and a repair left it out"
            columns["index"][place] = columns["offset"][place] = columns["length"][place] = None
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, table.schema, compression="zstd") as writer:
        writer.write_table(table, row_group_size=_ROWS_PER_GROUP)
        if SUMMARY_KEY in metadata:
            writer.add_key_value_metadata({SUMMARY_KEY: _summary(metadata[SUMMARY_KEY], entry, sums)})
    with store.publish(shard.samples_name) as file:
        file.write(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def summed_pixels(metadata: Mapping[bytes, bytes]) -> PixelSums:
    """What the summary in a table's metadata says of the pixels of its shard.

    Raises:
        KeyError, TypeError, ValueError: there is no summary, or it says nothing sensible.
    """
    summary = json.loads(metadata[SUMMARY_KEY])
    totals, squares = summary["channel_totals"], summary["channel_squares"]
    return PixelSums(int(summary["pixels"]), tuple(map(int, totals)), tuple(map(int, squares)))  # type: ignore[arg-type]  # three of each


def _summary(old: bytes, entry: Mapping[str, Any], sums: PixelSums | None) -> bytes:
    new = json.loads(old)
    new |= {name: entry[name] for name in ("count", "bytes", "sha256", "index_bytes", "index_sha256")}
    if sums is not None:
        new |= {"pixels": sums.count, "channel_totals": sums.total, "channel_squares": sums.total_of_squares}
    return json.dumps(new).encode()
