"""Cuts the ordered rows into shards and writes them down: `_plan/rows-*.parquet`, one or more row groups a shard."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shardmill.errors import UsageError
from shardmill.plan.listing import DIGESTS, label_numbers
from shardmill.plan.sort import ORDER
from shardmill.spec import Sharding
from shardmill.storage import Store

_GROUPS_PER_PART: Final = 128
_ROWS_PER_GROUP: Final = 1 << 15
_USUAL_BYTES: Final = 128_000_000
_LEAST_BYTES: Final = 1_000_000
_PARALLEL_SHARDS: Final = 16
_DROPPED: Final = (*DIGESTS, *ORDER, "_repeat", "group")


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard to make, and where its rows lie. Small: this is all that travels to a worker."""

    number: int
    """Over all splits, from 0."""
    split: str
    index: int
    """Within the split, from 0."""
    of: int
    """Shards in the split."""
    rows: int
    part: str
    """The plan's file that holds the rows."""
    groups: tuple[int, int]
    """First row group and the one behind the last."""


def shards_per_split(sharding: Sharding, counts: Mapping[str, int], record_bytes: float) -> dict[str, int]:
    """How many shards each split gets: never more than it has inputs, at least one where it has any.

    Args:
        counts: inputs of each split.
        record_bytes: expected size of a record, used where `max_shard_bytes` decides.

    Raises:
        UsageError: `num_shards` is below the number of splits, or names a split that does not exist.
    """
    total = sum(counts.values())
    unknown = {name for name, _ in sharding.per_split} - set(counts)
    if unknown:
        raise UsageError(
            f"--num-shards names a split that has no inputs: {', '.join(sorted(unknown))}; there are: {', '.join(sorted(counts))}"
        )
    if sharding.per_split and (missing := set(counts) - {name for name, _ in sharding.per_split}):
        raise UsageError(
            f"--num-shards leaves out a split: {', '.join(sorted(missing))}; name them all, or give one number"
        )
    if sharding.per_split:
        wanted = dict(sharding.per_split)
    elif sharding.num_shards is not None:
        if sharding.num_shards < len(counts):
            raise UsageError(
                f"--num-shards {sharding.num_shards} is fewer than the {len(counts)} splits; each needs at least one"
            )
        wanted = _share_out(sharding.num_shards, counts)
    else:
        size = sharding.samples_per_shard or _samples_per_shard(sharding.max_shard_bytes, total, record_bytes)
        wanted = {split: math.ceil(count / size) for split, count in counts.items()}
    return {split: min(max(wanted[split], 1), counts[split]) for split in sorted(counts) if total}


def _samples_per_shard(max_shard_bytes: int | None, total: int, record_bytes: float) -> int:
    """Samples in a shard of `max_shard_bytes`; None: of the usual size, or less where few shards would leave cores idle."""
    if max_shard_bytes is not None:
        return max(1, int(max_shard_bytes / record_bytes))
    total_bytes = total * record_bytes
    shards = max(math.ceil(total_bytes / _USUAL_BYTES), min(_PARALLEL_SHARDS, int(total_bytes / _LEAST_BYTES)), 1)
    return math.ceil(total / shards)


def _share_out(seats: int, counts: Mapping[str, int]) -> dict[str, int]:
    """Largest remainder, at least one each."""
    given = dict.fromkeys(counts, 1)
    total, free = sum(counts.values()), seats - len(counts)
    exact = {split: max(seats * count / total - 1, 0.0) for split, count in counts.items()}
    scale = free / (sum(exact.values()) or 1)
    for split, value in exact.items():
        given[split] += int(value * scale)
    by_remainder = sorted(counts, key=lambda split: (int(exact[split] * scale) - exact[split] * scale, split))
    for split in by_remainder[: seats - sum(given.values())]:
        given[split] += 1
    return given


def shard_rows(count: int, shards: int) -> list[int]:
    """Rows of each shard, differing by at most one."""
    return [count // shards + (index < count % shards) for index in range(shards)]


class _SplitCutter:
    """Receives the rows of one split in order; remembers where each shard's rows went."""

    def __init__(self, split: str, sizes: list[int], store: Store, stack: ExitStack, schema: pa.Schema) -> None:
        self._split, self._sizes, self._store, self._schema = split, sizes, store, schema
        self._open_part = stack.enter_context(ExitStack())
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._shard = self._filled = self._first_group = self._groups = self._parts = 0
        self._writer: pq.ParquetWriter | None = None
        self.places: list[tuple[str, tuple[int, int]]] = []

    def add(self, batch: pa.RecordBatch) -> None:
        while batch.num_rows:
            room = min(self._sizes[self._shard] - self._filled, _ROWS_PER_GROUP - self._pending_rows)
            piece, batch = batch.slice(0, room), batch.slice(room)
            self._pending.append(piece)
            self._pending_rows += piece.num_rows
            self._filled += piece.num_rows
            whole = self._filled == self._sizes[self._shard]
            if whole or self._pending_rows == _ROWS_PER_GROUP:
                self._flush()
            if whole:
                self.places.append((self._part_name(), (self._first_group, self._groups)))
                self._shard, self._filled, self._first_group = self._shard + 1, 0, self._groups
                if self._groups >= _GROUPS_PER_PART:
                    self.close()

    def _part_name(self) -> str:
        return f"_plan/rows-{self._split}-{self._parts:05d}.parquet"

    def _flush(self) -> None:
        if self._writer is None:
            file: BinaryIO = self._open_part.enter_context(self._store.publish(self._part_name()))
            self._writer = self._open_part.enter_context(pq.ParquetWriter(file, self._schema, compression="zstd"))
        table = pa.Table.from_batches(self._pending, self._schema)
        self._writer.write_table(table, row_group_size=table.num_rows)
        self._groups += 1
        self._pending, self._pending_rows = [], 0

    def close(self) -> None:
        if self._writer is not None:
            self._open_part.close()
            self._writer = None
            self._parts += 1
            self._groups = self._first_group = 0


def cut(
    batches: Iterable[pa.RecordBatch],
    store: Store,
    counts: Mapping[str, int],
    shards: Mapping[str, int],
    classes: tuple[str, ...],
) -> list[ShardTask]:
    """Write the rows of every shard below `_plan/` of `store` and return the shards' tasks.

    Args:
        batches: rows in their final order.
        counts: rows of each split in `batches`.
        shards: shards of each split.
        classes: class names in label order.
    """
    sizes = {split: shard_rows(counts[split], shards[split]) for split in shards}
    cutters: dict[str, _SplitCutter] = {}
    with ExitStack() as stack:
        for batch in batches:
            rows = planned_columns(batch, classes)
            for split in shards:
                mask = pa.compute.equal(batch.column("split"), split)
                part = rows.filter(mask)
                if part.num_rows:
                    if split not in cutters:
                        cutters[split] = _SplitCutter(split, sizes[split], store, stack, rows.schema)
                    cutters[split].add(part)
        for cutter in cutters.values():
            cutter.close()
    tasks: list[ShardTask] = []
    for split in shards:
        for index, (part_name, groups) in enumerate(cutters[split].places):
            tasks.append(ShardTask(len(tasks), split, index, shards[split], sizes[split][index], part_name, groups))
    return tasks


def planned_columns(batch: pa.RecordBatch, classes: tuple[str, ...]) -> pa.RecordBatch:
    """The columns that a worker needs: sort columns gone, the label as a number beside its name."""
    numbers = label_numbers(batch.column("label"), classes)
    names = pa.array([classes[number] if number >= 0 else None for number in numbers.to_pylist()], pa.string())
    columns: dict[str, Any] = {}
    for name in batch.schema.names:
        if name == "label":
            columns["label"], columns["class"] = numbers, names
        elif name not in _DROPPED:
            columns[name] = batch.column(name)
    columns.setdefault("duplicate_of", pa.nulls(batch.num_rows, pa.string()))
    return pa.RecordBatch.from_pydict(columns)
