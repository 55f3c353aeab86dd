"""Parquet files that hold the images themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from shardmill.sources.base import BATCH_ROWS, Stage
from shardmill.sources.columns import as_text
from shardmill.sources.locations import given_keys, safe_key, uri_of
from shardmill.sources.parquet import ParquetRows
from shardmill.sources.spec import SourceSpec
from shardmill.sources.table import listing_of, told_columns

_ROWS_READ: Final = 64
"""Held in memory at a time, images and all."""


class EmbeddedSource:
    """Images in a binary column, or in the struct of `bytes` and `path` that the `datasets` library writes.

    The key is the key column, else the path, else file and row (`train-00000-of-00002/000000012`). A row without bytes is
    listed at its path, which is relative to the folder of the files.
    """

    unique_keys = False
    numeric_labels = True

    def __init__(self, root: str, rows: ParquetRows, spec: SourceSpec) -> None:
        self.root = root
        self.ignored: Counter[str] = rows.ignored
        self.class_names = rows.class_names
        self._rows = rows
        self._columns, self._schema = listing_of(rows.schema, spec, rows.where)

    def staged_batches(self, stage: Stage) -> Iterator[pa.RecordBatch]:
        waiting: list[pa.RecordBatch] = []
        for batch in self._staged(stage):
            if sum(some.num_rows for some in waiting) + batch.num_rows > BATCH_ROWS:
                yield from _joined(waiting)
                waiting = []
            waiting.append(batch)
        yield from _joined(waiting)

    def _staged(self, stage: Stage) -> Iterator[pa.RecordBatch]:
        for path in self._rows.paths:
            row = 0
            for batch in self._rows.file_batches(path, _ROWS_READ):
                yield self._one(batch, path, row, stage)
                row += batch.num_rows

    def _one(self, batch: pa.RecordBatch, file: str, first_row: int, stage: Stage) -> pa.RecordBatch:
        columns, where = self._columns, self._rows.where
        stem = file.rpartition(".")[0]
        keys, uris, offsets, sizes = [], [], [], []
        for row, (image, path) in enumerate(_images(batch.column(columns.location)), start=first_row):
            keys.append(safe_key(path or "") or f"{stem}/{row:09d}")
            uri, offset = (uri_of(path or ""), None) if image is None else stage.add(image)
            uris.append(uri)
            offsets.append(offset)
            sizes.append(None if image is None else len(image))
        key_array = pa.array(keys, pa.string())
        if columns.key is not None:
            named = as_text(batch.column(columns.key), columns.key, where)
            missing = pc.equal(pc.fill_null(named, ""), "")
            key_array = pc.if_else(missing, key_array, given_keys(named, first_row))
        meanings = told_columns(batch, columns, self._rows.split_of(file), self.class_names, where)
        carried = [batch.column(name) for name in columns.carried]
        places = [pa.array(uris, pa.string()), pa.array(offsets, pa.int64()), pa.array(sizes, pa.int64())]
        return pa.RecordBatch.from_arrays([key_array, *places, *meanings, *carried], schema=self._schema)


def _images(column: pa.Array) -> Iterator[tuple[bytes | None, str | None]]:
    values: list[Any] = column.to_pylist()
    if not pa.types.is_struct(column.type):
        yield from ((value, None) for value in values)
        return
    for value in values:
        struct = value or {}
        yield struct.get("bytes"), struct.get("path")


def _joined(batches: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if batches:
        yield from pa.Table.from_batches(batches).combine_chunks().to_batches()
