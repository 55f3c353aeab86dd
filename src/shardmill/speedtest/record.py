"""The rows of a speed test: one for each timed pass, kept in one Parquet file that is whole at all times.

What varies from row to row by request are the factors of its `Cell`; a `Measurement` adds what was seen. Averages are
never stored: whoever reads the rows makes them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Final, Literal, get_args, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from shardmill.errors import UsageError

RESULTS: Final = "results.parquet"
"""In the run folder of a speed test."""

SourceKind = Literal["shards", "files"]
Cache = Literal["warm", "cold"]
CacheSeen = Literal["warm", "cold", "mixed", "unproven"]
EngineName = Literal["local", "spark"]


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One combination of factors."""

    dataset: str
    """The name that the user sees."""
    source: SourceKind
    format: str
    """`tfrecord`, `webdataset`, `parquet`, or `files` for the source images themselves."""
    reader: str
    """`tf.data` or `native`."""
    batch_size: int
    num_batches: int
    parallel_reads: int
    """Shards or files that are read and decoded at the same time by one process."""
    decode: bool
    """Pixels are made; else only the encoded bytes are handed over."""
    cache: Cache
    """What was asked for; see `Measurement.cache_seen`."""
    concurrency: int
    """Processes that read at the same time. On Spark: its task slots."""

    @property
    def window(self) -> int:
        """Images in one window: `batch_size` x `num_batches`."""
        return self.batch_size * self.num_batches


@dataclass(frozen=True, slots=True)
class Measurement:
    """One timed pass of one process: a window of `num_batches` batches, read `repeats` times from a fresh start.

    All sums are over the repeats: seconds of one window are `elapsed_s / repeats`, its images `images / repeats`.
    """

    dataset: str
    source: SourceKind
    format: str
    reader: str
    batch_size: int
    num_batches: int
    parallel_reads: int
    decode: bool
    cache: Cache
    concurrency: int
    engine: EngineName
    repetition: int
    """From 0. With `concurrency` above 1, as many rows as processes share one repetition."""
    position: int
    """Place in the random order of the whole run, from 0; drift of the machine shows along it."""
    warm_up: bool
    """A first pass in a fresh process: kept for the record, not for any average."""
    images: int
    repeats: int
    elapsed_s: float
    """Of the windows alone, by a monotonic clock: from asking for the first batch until the last one is there."""
    first_batch_s: float
    """Until the first batch of a window is there: the median over the repeats."""
    cpu_s: float
    """Seconds of CPU, user and system, of all threads of the process and its children while windows were read."""
    bytes_read: int
    """Encoded image bytes that were handed over, before decoding."""
    device_bytes: int
    """Read from the device or the network meanwhile, by the kernel's count; 0 where it keeps none."""
    cache_seen: CacheSeen
    """By `device_bytes` against `bytes_read`: `cold` from 95 %, `warm` up to 5 %, `mixed` between; `unproven` where the
    kernel keeps no count for these files."""
    images_per_s: float
    mb_per_s: float
    """Of `bytes_read`, in 10^6 bytes per second."""
    host: str
    pid: int
    started_at: str
    """UTC, ISO 8601, with microseconds."""
    versions: str
    """JSON: what can change a number, by name."""
    others_cpu: float = 0.0
    """Share of the time of all cores that other processes took meanwhile, 0 to 1; 0 on Spark, where neighbours are part of
    the test."""
    attempts: int = 1
    """How often the pass was made because of them; the least disturbed attempt is this row."""

    @property
    def cell(self) -> Cell:
        """Its factors."""
        return Cell(**{field.name: getattr(self, field.name) for field in fields(Cell)})

    @property
    def as_asked(self) -> bool:
        """The cache was in the state asked for, as far as anybody can tell."""
        return self.cache_seen in (self.cache, "unproven")


_TYPES: Final = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


def _column_type(hint: object) -> pa.DataType:
    choices = get_args(hint)
    return _TYPES[str if choices else hint]  # type: ignore[index]


_HINTS: Final = get_type_hints(Measurement)
SCHEMA: Final = pa.schema(
    [pa.field(field.name, _column_type(_HINTS[field.name]), nullable=False) for field in fields(Measurement)]
)
"""The columns of `RESULTS`: the fields of `Measurement`, none of them null."""
_REQUIRED: Final = [field.name for field in fields(Measurement) if field.default is MISSING]


def read_measurements(path: str | Path) -> list[Measurement]:
    """The rows in the run folder, or the Parquet file, `path`, in the order in which they were measured.

    Raises:
        UsageError: there are none, or the file is not one of speed-test rows.
    """
    path = Path(path).expanduser()
    file = path / RESULTS if path.is_dir() else path
    try:
        table = pq.read_table(file, partitioning=None)
    except FileNotFoundError as error:
        raise UsageError(f"there is no {file}; name a folder that speedtest wrote.") from error
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{file} cannot be read as Parquet ({_first_line(error)}); name another run.") from error
    missing = [name for name in _REQUIRED if name not in table.column_names]
    if missing:
        raise UsageError(f"{file} holds no speed-test rows: it lacks the columns {', '.join(missing)}.")
    try:
        known = [field for field in SCHEMA if field.name in table.column_names]
        rows = table.select([field.name for field in known]).cast(pa.schema(known)).to_pylist()
    except (ValueError, pa.ArrowException) as error:
        raise UsageError(f"{file} holds other types than speed-test rows ({_first_line(error)}).") from error
    return [Measurement(**row) for row in rows]


def write_measurements(path: str | Path, rows: Sequence[Measurement]) -> None:
    """Put `rows`, all of them, in the place of what the Parquet file `path` holds, in one step.

    Raises:
        UsageError: the place cannot be written to.
    """
    path = Path(path)
    table = pa.table({name: [getattr(row, name) for row in rows] for name in SCHEMA.names}, schema=SCHEMA)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror}. What was measured so far is kept.") from error


class ResultFile:
    """The rows of a run that goes on. Appending rewrites the file, so that a crash loses no row and doubles none.

    That costs 5 ms for 1,000 rows and 30 ms for 10,000, against passes of a second.
    """

    def __init__(self, path: str | Path) -> None:
        """Takes up what an earlier process left.

        Raises:
            UsageError: the file is there and does not hold such rows.
        """
        self._path = Path(path)
        self.rows: list[Measurement] = read_measurements(self._path) if self._path.exists() else []

    def append(self, rows: Iterable[Measurement]) -> None:
        """Keep `rows`, all of them or, where writing fails, none."""
        longer = [*self.rows, *rows]
        write_measurements(self._path, longer)
        self.rows = longer


def cache_seen(device_bytes: int | None, bytes_read: int) -> CacheSeen:
    """What `device_bytes` read from the device (None: nobody counts) for `bytes_read` handed over says of the cache."""
    if device_bytes is None or bytes_read <= 0:
        return "unproven"
    share = device_bytes / bytes_read
    return "cold" if share >= 0.95 else "warm" if share <= 0.05 else "mixed"


def rate(amount: float, seconds: float) -> float:
    """`amount` per second; nan where no time passed."""
    return amount / seconds if seconds > 0 else math.nan


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
