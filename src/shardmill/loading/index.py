"""Where every record of a data set lies: a few numbers an image, in arrays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shardmill.dataset import Dataset, Shard
from shardmill.errors import DamageError, UsageError
from shardmill.storage import UnreadableError

_PARALLEL: Final = 8
_COLUMNS: Final = ("status", "label", "index", "offset", "length", "width", "height")


@dataclass(frozen=True, slots=True)
class RecordIndex:
    """One entry a record, all of shape (n,). 32 bytes a record."""

    shard: NDArray[np.uint32]
    """Place in the data set's shards."""
    number: NDArray[np.uint32]
    """Of the record in its shard."""
    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    """Bytes; 0 where a record has none of its own."""
    label: NDArray[np.int32]
    """-1 without a class, and in files of others, where only the record tells."""
    width: NDArray[np.uint16]
    height: NDArray[np.uint16]
    """Pixels, or 0 where only the image tells."""

    def __len__(self) -> int:
        return len(self.shard)

    def take(self, chosen: NDArray[np.bool_] | slice) -> RecordIndex:
        """The chosen entries."""
        return replace(self, **{field.name: getattr(self, field.name)[chosen] for field in _FIELDS})


_FIELDS: Final = fields(RecordIndex)


def build_index(dataset: Dataset) -> RecordIndex:
    """The index of all shards, in their order.

    Raises:
        DamageError: a samples table is absent or cannot be read.
        UsageError: a shard is compressed as a whole, so that nothing in it can be skipped.
    """
    with ThreadPoolExecutor(_PARALLEL) as pool:
        read = _prepared_shard if dataset.manifest is not None else _foreign_shard
        parts = list(pool.map(lambda shard: read(dataset, shard), dataset.shards))
    columns: Any = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in _FIELDS}
    return RecordIndex(**columns)


def _prepared_shard(dataset: Dataset, shard: Shard) -> RecordIndex:
    if not dataset.shard_format.random_access:
        raise _sequential(dataset, shard)
    try:
        with dataset.store.open(shard.samples_name) as file:
            table = pq.read_table(file, columns=list(_COLUMNS))
    except (UnreadableError, pa.ArrowException, OSError) as error:
        raise DamageError(
            f"{dataset.root}/{shard.samples_name} cannot be read, which tells where images lie; see `shardmill verify`."
        ) from error
    table = table.filter(pc.equal(table["status"], "written")).sort_by("index")
    columns = {name: table[name].to_numpy() for name in _COLUMNS if name != "status"}
    return RecordIndex(
        shard=np.full(table.num_rows, shard.number, np.uint32),
        number=columns["index"].astype(np.uint32),
        offset=columns["offset"].astype(np.int64),
        length=columns["length"].astype(np.int64),
        label=columns["label"].astype(np.int32),
        width=columns["width"].astype(np.uint16),
        height=columns["height"].astype(np.uint16),
    )


def _foreign_shard(dataset: Dataset, shard: Shard) -> RecordIndex:
    with dataset.store.open(shard.name) as file:
        placements = dataset.shard_format.locate(file)
    if placements is None:
        raise _sequential(dataset, shard)
    count = len(placements)
    return RecordIndex(
        shard=np.full(count, shard.number, np.uint32),
        number=np.arange(count, dtype=np.uint32),
        offset=np.array([place.offset for place in placements], np.int64),
        length=np.array([place.length for place in placements], np.int64),
        label=np.full(count, -1, np.int32),
        width=np.zeros(count, np.uint16),
        height=np.zeros(count, np.uint16),
    )


def _sequential(dataset: Dataset, shard: Shard) -> UsageError:
    return UsageError(
        f"{shard.name} in {dataset.root} is compressed as a whole, so that no image in it can be read alone; make a set "
        "that can with `shardmill convert`."
    )
