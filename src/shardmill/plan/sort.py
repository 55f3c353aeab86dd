"""Sorts listings that do not fit in memory: sorted runs on disk, merged block by block.

Rows are ordered by three uint64 columns, `_first`, `_second` and `_ordinal`, the last of which never repeats. Memory is
bounded by one run, or by one block of each of `_FAN_IN` runs, whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

ORDER: Final = ("_first", "_second", "_ordinal")

_RUN_ROWS: Final = 1 << 17
_BLOCK_ROWS: Final = 1 << 12
_FAN_IN: Final = 64

Key = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]


def external_sort(
    batches: Iterable[pa.RecordBatch], scratch: Path, run_rows: int = _RUN_ROWS
) -> Iterator[pa.RecordBatch]:
    """The rows of `batches`, sorted. `scratch` is an existing folder of this machine for the runs."""
    runs: list[Path] = []
    pending: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        pending.append(batch)
        rows += batch.num_rows
        if rows >= run_rows:
            runs.append(_write_run(_sorted(pending), scratch))
            pending, rows = [], 0
    if not runs:
        if rows:
            yield from _sorted(pending).to_batches(max_chunksize=run_rows)
        return
    if rows:
        runs.append(_write_run(_sorted(pending), scratch))
    pending = []
    while len(runs) > _FAN_IN:
        merged = [_write_batches(_merge(runs[i : i + _FAN_IN]), scratch) for i in range(0, len(runs), _FAN_IN)]
        runs = merged
    yield from _merge(runs)


def _sorted(batches: list[pa.RecordBatch]) -> pa.Table:
    table = pa.Table.from_batches(batches).combine_chunks()
    first, second, ordinal = (table[name].to_numpy() for name in ORDER)
    return table.take(pa.array(np.lexsort((ordinal, second, first))))


def _write_run(table: pa.Table, scratch: Path) -> Path:
    return _write_batches(table.to_batches(max_chunksize=_BLOCK_ROWS), scratch)


def _write_batches(batches: Iterable[pa.RecordBatch], scratch: Path) -> Path:
    # A name of its own: runs come and go, and two sorts may share the folder.
    with NamedTemporaryFile(prefix="run-", dir=scratch, delete=False) as file:
        writer = None
        for batch in batches:
            writer = writer or pa.ipc.new_stream(file, batch.schema)
            writer.write_batch(batch, custom_metadata=None)
        if writer is not None:
            writer.close()
    return Path(file.name)


class _Run:
    """One sorted run, read a block at a time; deletes its file at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        self._reader = pa.ipc.open_stream(self._file)
        self.block: pa.RecordBatch | None = None
        self._load()

    def _load(self) -> None:
        self.block = next(self._reader, None)
        if self.block is None:
            self.close()
            return
        first, second, ordinal = (self.block.column(name).to_numpy() for name in ORDER)
        self.key: Key = (first, second, ordinal)

    def close(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def last(self) -> tuple[int, ...]:
        return tuple(int(column[-1]) for column in self.key)

    def take_until(self, bound: tuple[int, ...]) -> pa.RecordBatch:
        """Remove and return the rows of this block that are not above `bound`."""
        assert self.block is not None
        low, high = 0, self.block.num_rows
        for column, value in zip(self.key, bound, strict=True):
            part, word = column[low:high], np.uint64(value)
            low, high = low + int(np.searchsorted(part, word, "left")), low + int(np.searchsorted(part, word, "right"))
        taken = self.block.slice(0, high)
        if high == self.block.num_rows:
            self._load()
        else:
            self.block = self.block.slice(high)
            self.key = (self.key[0][high:], self.key[1][high:], self.key[2][high:])
        return taken


def _merge(paths: list[Path]) -> Iterator[pa.RecordBatch]:
    with ExitStack() as stack:
        runs = [stack.enter_context(closing(_Run(path))) for path in paths]
        while runs := [run for run in runs if run.block is not None]:
            bound = min(run.last() for run in runs)
            taken = [batch for run in runs if (batch := run.take_until(bound)).num_rows]
            yield from _sorted(taken).to_batches()
