"""The samples table of a shard, as far as verification needs it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shardmill.dataset import Shard
from shardmill.formats.base import Placement
from shardmill.storage import Store

_COLUMNS = ("key", "label", "status", "index", "offset", "length", "width", "height")


@dataclass(frozen=True, slots=True)
class Row:
    """A written row."""

    key: str
    label: int
    index: int
    placement: Placement
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class SamplesTable:
    """The rows of one shard."""

    listed: int
    statuses: dict[str, int]
    written: tuple[Row, ...]
    """In the table's order."""
    sha256: str


def read_table(store: Store, shard: Shard) -> SamplesTable | str | None:
    """The table; a sentence where it is damaged; None where there is none."""
    name = shard.samples_name
    if store.size(name) is None:
        return None
    with store.open(name) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any binary file will do
    try:
        with store.open(name) as file:
            rows: list[dict[str, Any]] = pq.read_table(file, columns=list(_COLUMNS)).to_pylist()
        return _from_rows(rows, sha256)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        return f"{name} cannot be read ({str(error).splitlines()[0] if str(error) else type(error).__name__})"


def _from_rows(rows: list[dict[str, Any]], sha256: str) -> SamplesTable:
    statuses: dict[str, int] = {}
    written = []
    for row in rows:
        statuses[row["status"]] = statuses.get(row["status"], 0) + 1
        if row["status"] == "written":
            label = -1 if row["label"] is None else int(row["label"])
            placement = Placement(int(row["offset"]), int(row["length"]))
            written.append(
                Row(str(row["key"]), label, int(row["index"]), placement, int(row["width"]), int(row["height"]))
            )
    return SamplesTable(len(rows), statuses, tuple(written), sha256)
