"""Rows of Parquet files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shardmill.errors import UsageError
from shardmill.sources.base import BATCH_ROWS
from shardmill.sources.columns import LABEL_NAMES
from shardmill.sources.names import splits_of_files
from shardmill.storage import Store


class ParquetRows:
    """The rows of one or more Parquet files of one schema, in the order of `paths`.

    Args:
        label_col: column whose class names the Hugging Face metadata may tell; None: any with a usual name.
        beside: other files seen beside these, by suffix.
    """

    def __init__(
        self, store: Store, paths: Sequence[str], where: str, label_col: str | None, beside: Counter[str]
    ) -> None:
        self.where = where
        self.ignored = beside
        self.paths = tuple(paths)
        self._store = store
        self._splits = splits_of_files(paths)
        with self.opened(paths[0]) as first:
            self.schema: pa.Schema = first.schema_arrow
        self.class_names = _class_names(self.schema, label_col)

    def batches(self) -> Iterator[tuple[pa.RecordBatch, str | None]]:
        for path in self.paths:
            for batch in self.file_batches(path, BATCH_ROWS):
                yield batch, self._splits[path]

    def split_of(self, path: str) -> str | None:
        """The split that the name of the file says."""
        return self._splits[path]

    def file_batches(self, path: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The rows of one file, at most `rows` at a time.

        Raises:
            UsageError: the file is not Parquet, damaged, or has other columns than the first.
        """
        with self.opened(path) as file:
            if not file.schema_arrow.equals(self.schema):
                raise UsageError(f"{path} and {self.paths[0]} differ in their columns; prepare them one by one.")
            for group in range(file.metadata.num_row_groups):  # one by one, or memory grows with the file
                yield from file.iter_batches(batch_size=rows, row_groups=[group], use_threads=False)

    @contextmanager
    def opened(self, path: str) -> Iterator[pq.ParquetFile]:
        with self._store.open(path) as raw:
            try:
                yield pq.ParquetFile(raw, buffer_size=1 << 20)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
                reason = str(error).split("\n")[0].rstrip(".")
                raise UsageError(f"{path} cannot be read as Parquet ({reason}); write or download it again.") from error


def _class_names(schema: pa.Schema, label_col: str | None) -> tuple[str, ...] | None:
    """Class names as the `datasets` library stores them in the schema's metadata."""
    raw = (schema.metadata or {}).get(b"huggingface")
    if raw is None:
        return None
    try:
        features: dict[str, Any] = json.loads(raw)["info"]["features"]
        wanted = [name for name in features if (name == label_col if label_col else name.lower() in LABEL_NAMES)]
        numbered = [name for name in wanted if name in schema.names and pa.types.is_integer(schema.field(name).type)]
        found = [features[name].get("names") for name in numbered if features[name].get("_type") == "ClassLabel"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # some other writer's metadata under the same name
    return tuple(map(str, found[0])) if found and isinstance(found[0], list) else None
