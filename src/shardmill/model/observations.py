"""From rows of a speed test to the arrays that models are fitted to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol, TypeVar

import numpy as np

from shardmill.model.regression import Array, Numbers


class Timed(Protocol):
    """What a row must tell; `shardmill.speedtest.record.Measurement` does."""

    @property
    def dataset(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def reader(self) -> str: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def num_batches(self) -> int: ...
    @property
    def parallel_reads(self) -> int: ...
    @property
    def decode(self) -> bool: ...
    @property
    def cache(self) -> str: ...
    @property
    def concurrency(self) -> int: ...
    @property
    def engine(self) -> str: ...
    @property
    def repetition(self) -> int: ...
    @property
    def position(self) -> int: ...
    @property
    def warm_up(self) -> bool: ...
    @property
    def images(self) -> int: ...
    @property
    def repeats(self) -> int: ...
    @property
    def elapsed_s(self) -> float: ...
    @property
    def first_batch_s(self) -> float: ...
    @property
    def cpu_s(self) -> float: ...
    @property
    def bytes_read(self) -> int: ...
    @property
    def device_bytes(self) -> int: ...
    @property
    def cache_seen(self) -> str: ...
    @property
    def host(self) -> str: ...


Row = TypeVar("Row", bound=Timed)


@dataclass(frozen=True, slots=True, order=True)
class Arm:
    """What is compared with each other: all rows of an arm differ in factors that are numbers, and in the host, only."""

    dataset: str
    source: str
    format: str
    reader: str
    decode: bool
    cache: str
    engine: str


ARM_FIELDS: Final = tuple(field.name for field in fields(Arm))


@dataclass(frozen=True, slots=True)
class Factors:
    """A combination of the factors that are numbers."""

    batch_size: int
    num_batches: int
    parallel_reads: int = 1
    concurrency: int = 1

    @property
    def window(self) -> int:
        """Images in one window."""
        return self.batch_size * self.num_batches


@dataclass(frozen=True, slots=True)
class Observations:
    """Rows of one arm as arrays of shape (n,)."""

    cell: Numbers
    """Place in `cells`."""
    cells: tuple[Factors, ...]
    batch_size: Array
    num_batches: Array
    parallel_reads: Array
    concurrency: Array
    images: Array
    """Of one window: batch size times number of batches."""
    seconds: Array
    """Of one window."""
    rate: Array
    """Images a second, of one process."""
    position: Array
    host: Numbers
    """Place in `hosts`."""
    hosts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.seconds)

    def only(self, rows: Any) -> Observations:  # noqa: ANN401  # whatever indexes an array
        """The rows that `rows` selects; cells keep their numbers."""
        places = np.arange(len(self))[rows]
        names = [field.name for field in fields(self) if field.name not in ("cells", "hosts")]
        return Observations(cells=self.cells, hosts=self.hosts, **{name: getattr(self, name)[places] for name in names})


def counted(row: Timed) -> bool:
    """It is no warm-up, took time, and its cache was in the state asked for, as far as anybody can tell."""
    return not row.warm_up and row.elapsed_s > 0 and row.images > 0 and row.cache_seen in (row.cache, "unproven")


def arm_of(row: Timed) -> Arm:
    """The arm of a row."""
    return Arm(**{name: getattr(row, name) for name in ARM_FIELDS})


def factors_of(row: Timed) -> Factors:
    """The cell of a row within its arm."""
    return Factors(row.batch_size, row.num_batches, row.parallel_reads, row.concurrency)


def by_arm(rows: Iterable[Row]) -> dict[Arm, list[Row]]:
    """The rows that count, by arm, shards before files."""
    found: dict[Arm, list[Row]] = {}
    for row in rows:
        if counted(row):
            found.setdefault(arm_of(row), []).append(row)
    return dict(sorted(found.items(), key=lambda entry: _arm_place(entry[0])))


_FORMATS: Final = ("tfrecord", "webdataset", "parquet")


def _arm_place(arm: Arm) -> tuple[bool, int, Arm]:
    known = _FORMATS.index(arm.format) if arm.format in _FORMATS else len(_FORMATS)
    return arm.source == "files", known, arm


def observe(rows: Sequence[Timed]) -> Observations:
    """The rows of one arm as arrays."""
    cells = tuple(sorted({factors_of(row) for row in rows}, key=_place))
    places = {factors: place for place, factors in enumerate(cells)}
    hosts = tuple(sorted({row.host for row in rows}))
    of_row = [factors_of(row) for row in rows]

    def column(values: Iterable[float]) -> Array:
        return np.fromiter(values, np.float64, len(rows))

    return Observations(
        cell=np.array([places[factors] for factors in of_row], np.int64),
        cells=cells,
        batch_size=column(row.batch_size for row in rows),
        num_batches=column(row.num_batches for row in rows),
        parallel_reads=column(row.parallel_reads for row in rows),
        concurrency=column(row.concurrency for row in rows),
        images=column(row.images / row.repeats for row in rows),
        seconds=column(row.elapsed_s / row.repeats for row in rows),
        rate=column(row.images / row.elapsed_s for row in rows),
        position=column(row.position for row in rows),
        host=np.array([hosts.index(row.host) for row in rows], np.int64),
        hosts=hosts,
    )


def _place(factors: Factors) -> tuple[int, int, int, int]:
    return factors.batch_size, factors.num_batches, factors.parallel_reads, factors.concurrency


def arm_names(arms: Sequence[Arm]) -> dict[Arm, str]:
    """A name for each arm that says how it differs from the others: `tfrecord`, `files, tf.data`, ..."""

    def varies(name: str, among: Sequence[Arm]) -> bool:
        return len({getattr(arm, name) for arm in among}) > 1

    names = {}
    for arm in arms:
        alike = [other for other in arms if other.format == arm.format]
        words = [arm.format]
        if varies("dataset", alike):
            words.append(arm.dataset)
        if varies("reader", arms):
            words.append(arm.reader)
        if varies("decode", arms):
            words.append("decoded" if arm.decode else "bytes only")
        if varies("cache", arms):
            words.append(arm.cache)
        if varies("engine", arms):
            words.append(f"on {arm.engine}")
        names[arm] = ", ".join(words)
    return names
