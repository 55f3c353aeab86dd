"""`--drop-duplicates`: reads every image once before planning, so that copies can be left out of the shards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shardmill import isolation
from shardmill.engines.base import Engine
from shardmill.errors import ResumableError
from shardmill.operations.prepare.reading import ListedReader
from shardmill.plan.listing import with_order
from shardmill.plan.sort import external_sort
from shardmill.sources.base import Source, StagedSource
from shardmill.storage import StorageSettings, Store, UnreadableError, open_store
from shardmill.storage.retry import note_retries, retries_so_far
from shardmill.storage.window import in_order

_CHUNK_ROWS = 1 << 14


@dataclass(frozen=True, slots=True)
class _Chunk:
    dest: str
    source_root: str
    staged: bool
    most_bytes: int
    storage: StorageSettings
    rows: str
    """File with the rows; the hashes go beside it."""


class _Listed(NamedTuple):
    uri: str
    offset: int | None
    size: int | None


def _ahead(reader: ListedReader, row: _Listed) -> bytes:
    return reader.ahead(*row)


def without_duplicates(
    batches: Iterable[pa.RecordBatch],
    source: Source | StagedSource,
    dest: Store,
    engine: Engine,
    scratch: Path,
    most_bytes: int,
    storage: StorageSettings,
) -> Iterator[pa.RecordBatch]:
    """The rows with a column `duplicate_of`: the key of the first listed input with the same bytes, or null.

    Inputs of more than `most_bytes` are told apart by their beginnings alone; they become failures anyway.

    Raises:
        ResumableError: the source cannot be reached.
    """
    chunks = [
        _Chunk(dest.root, source.root, isinstance(source, StagedSource), most_bytes, storage, name)
        for name in _write_chunks(batches, dest)
    ]
    for retries in engine.run(_hash_in_child, chunks):
        note_retries(retries)
    return _mark(external_sort(_hashed(chunks, dest), scratch))


def _hash_in_child(chunk: _Chunk) -> dict[str, int]:
    """Returns the requests that were repeated."""
    try:
        return isolation.call(_hash_chunk, chunk)
    except isolation.ChildDiedError as death:
        raise ResumableError(f"a worker died while hashing ({death}); look at memory, then run it again") from death


def _write_chunks(batches: Iterable[pa.RecordBatch], dest: Store) -> Iterator[str]:
    number = 0
    for batch in batches:
        for start in range(0, batch.num_rows, _CHUNK_ROWS):
            name = f"_plan/hash-{number:05d}.parquet"
            with dest.publish(name) as file:
                pq.write_table(pa.Table.from_batches([batch.slice(start, _CHUNK_ROWS)]), file)
            number += 1
            yield name


def _hash_chunk(chunk: _Chunk) -> dict[str, int]:
    before = retries_so_far()
    dest, source = open_store(chunk.dest, chunk.storage), open_store(chunk.source_root, chunk.storage)
    with dest.open(chunk.rows) as file:
        rows = pq.read_table(file, columns=["uri", "offset", "size"])
    reader = ListedReader(source, dest if chunk.staged else None, chunk.most_bytes, chunk.storage)
    listed = (_Listed(*row) for row in zip(*(column.to_pylist() for column in rows.columns), strict=True))
    digests: list[bytes | None] = []
    for row, ahead in in_order(partial(_ahead, reader), listed, reader.at_once(rows["uri"]), reader.cost):
        try:
            data = reader.whole(row.uri, row.offset, row.size, ahead())
        except UnreadableError:
            digests.append(None)  # named when its shard is made
        else:
            digests.append(hashlib.sha256(data).digest())
    with dest.publish(f"{chunk.rows}.sha256") as file:
        pq.write_table(pa.table({"sha256": pa.array(digests, pa.binary())}), file)
    return dict(retries_so_far() - before)


def _hashed(chunks: list[_Chunk], dest: Store) -> Iterator[pa.RecordBatch]:
    """The rows, to be sorted by hash; unreadable ones get their key's digest in its place."""
    for chunk in chunks:
        with dest.open(chunk.rows) as file:
            rows = pq.read_table(file).combine_chunks()
        with dest.open(f"{chunk.rows}.sha256") as file:
            digests = pq.read_table(file)["sha256"].combine_chunks()
        dest.remove(f"{chunk.rows}.sha256")
        dest.remove(chunk.rows)
        known = digests.is_valid().to_numpy(zero_copy_only=False)
        words = np.frombuffer(b"".join(digests.drop_null().to_pylist()), "<u8").reshape(-1, 4).astype(np.uint64)
        first, second = rows["_a"].to_numpy().copy(), rows["_b"].to_numpy().copy()
        first[known], second[known] = words[:, 0], words[:, 1]
        for batch in rows.append_column("_sha256", digests).to_batches():
            yield with_order(batch, first, second)


def _mark(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    digest: bytes | None = None
    key = ""
    for batch in batches:
        originals: list[str | None] = []
        for this_digest, this_key in zip(
            batch.column("_sha256").to_pylist(), batch.column("key").to_pylist(), strict=True
        ):
            if this_digest is not None and this_digest == digest:
                originals.append(key)
            else:
                digest, key = this_digest, this_key
                originals.append(None)
        names = [name for name in batch.schema.names if name != "_sha256"]
        yield batch.select(names).append_column("duplicate_of", pa.array(originals, pa.string()))
