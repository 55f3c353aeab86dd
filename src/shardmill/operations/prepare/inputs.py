"""The rows of a shard with the bytes of their images, which are read ahead where each takes long to come."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pyarrow as pa

from shardmill.image.base import Refused
from shardmill.layout import samples_name
from shardmill.operations.prepare.job import ShardCall
from shardmill.operations.prepare.reading import ListedReader
from shardmill.operations.prepare.samples import CARRIED, renewed_sizes
from shardmill.storage import Store, UnreadableError, open_store
from shardmill.storage.window import in_order

_CODES: Final = {
    "not_found": "was not found",
    "permission_denied": "may not be read",
    "not_a_file": "is not a file",
}


@dataclass(slots=True)
class InputRow:
    """One input of a shard."""

    number: int
    key: str
    uri: str
    label: int
    class_name: str | None
    carried: tuple[Any, ...]
    columns: dict[str, Any]
    """Of the samples table, as far as they are known."""
    offset: int | None
    size: int | None
    """Bytes to expect; None: not known before reading."""
    refused: Refused | None = None


def read_inputs(call: ShardCall, rows: pa.Table, dest: Store) -> Iterator[tuple[InputRow, bytes | None]]:
    """Each row with the bytes of its image, or with None and `refused` set; in order."""
    job = call.job
    source = open_store(job.source_root, job.storage)
    reader = ListedReader(source, dest if job.staged else None, job.spec.max_source_bytes, job.storage)
    at_once = reader.at_once(rows["uri"])
    for row, data in in_order(partial(_ahead, reader), _rows(call, rows, dest), at_once, reader.cost):
        yield row, None if row.refused is not None else _checked(row, data, call, reader)


def _ahead(reader: ListedReader, row: InputRow) -> bytes:
    return b"" if row.refused is not None else reader.ahead(row.uri, row.offset, row.size)


def _checked(row: InputRow, data: Callable[[], bytes], call: ShardCall, reader: ListedReader) -> bytes | None:
    limit = call.job.spec.max_source_bytes
    try:
        content = reader.whole(row.uri, row.offset, row.size, data())
    except UnreadableError as error:
        row.refused = Refused("failed", error.reason, _CODES.get(error.reason, error.reason.replace("_", " ")))
        return None
    if len(content) > limit:
        row.refused = _too_large(limit)
        return None
    row.columns["source_bytes"] = len(content)
    row.columns["sha256"] = hashlib.sha256(content).hexdigest()
    if row.size is not None and len(content) != row.size:
        detail = f"changed since it was listed: {row.size} bytes then, {len(content)} now"
        row.refused = Refused("failed", "changed", detail)
    elif row.number in call.blamed:
        row.refused = Refused("failed", *call.blamed[row.number])
    return None if row.refused is not None else content


def _rows(call: ShardCall, rows: pa.Table, dest: Store) -> Iterator[InputRow]:
    """Each row; with `refused` set where it is not to be read."""
    renewed = renewed_sizes(dest, samples_name(call.task.number)) if call.job.retry else {}
    carried = [name for name in rows.schema.names if name.startswith(CARRIED)]
    limit = call.job.spec.max_source_bytes
    number = 0
    for batch in rows.to_batches(max_chunksize=1024):
        fixed = [
            batch.column(name).to_pylist()
            for name in ("key", "uri", "split", "label", "class", "offset", "size", "duplicate_of")
        ]
        extra = (
            list(zip(*(batch.column(name).to_pylist() for name in carried), strict=True))
            if carried
            else [()] * len(batch)
        )
        for (key, uri, split, label, class_name, offset, size, duplicate_of), values in zip(
            zip(*fixed, strict=True), extra, strict=True
        ):
            columns = {
                "key": key,
                "uri": uri,
                "split": split,
                "label": label,
                "class": class_name,
                "source_bytes": size,
            }
            if offset is None:
                size = renewed.get(key, size)
            row = InputRow(number, key, uri, label, class_name, values, columns, offset, size)
            number += 1
            if duplicate_of is not None:
                row.refused = Refused("skipped", "duplicate", f"has the same bytes as {duplicate_of}")
            elif row.size is not None and row.size > limit:
                row.refused = _too_large(limit)
            yield row


def _too_large(limit: int) -> Refused:
    return Refused("failed", "too_many_bytes", f"holds more than {limit} bytes (--max-source-bytes)")
