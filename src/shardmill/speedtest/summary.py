"""Medians, spreads and averages of rows, for those who want to look before they model."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shardmill.speedtest.record import Cell, Measurement

FACTORS: Final[Mapping[str, Callable[[Measurement], object]]] = {
    "batch_size": lambda row: row.batch_size,
    "num_batches": lambda row: row.num_batches,
    "window": lambda row: row.cell.window,
    "parallel_reads": lambda row: row.parallel_reads,
    "decode": lambda row: row.decode,
    "cache": lambda row: row.cache,
    "concurrency": lambda row: row.concurrency,
    "host": lambda row: row.host,
}
"""By what throughput is averaged, with the level of a row; `window` is the product of the first two."""

Group = tuple[str, str, str, object]
"""Data set, reader, factor, level."""
Sum = tuple[float, int]
"""Of images per second, and how many rows."""
Averages = dict[str, dict[str, dict[str, dict[object, float]]]]
"""Data set, reader, factor, level: mean of images per second."""


@dataclass(frozen=True, slots=True)
class CellSummary:
    """What the passes of one cell came to. Rates are of all its processes together; on Spark, of one."""

    cell: Cell
    passes: int
    images_per_s: float
    """Median."""
    low: float
    """Lower quartile of images per second."""
    high: float
    """Upper quartile."""
    mb_per_s: float
    first_batch_s: float
    not_as_asked: int
    """Rows whose cache was in another state than asked for."""


def summarise(rows: Iterable[Measurement]) -> list[CellSummary]:
    """A summary of each cell, in order; warm-ups are left out."""
    cells: dict[Cell, list[Measurement]] = defaultdict(list)
    for row in rows:
        if not row.warm_up:
            cells[row.cell].append(row)
    return [_summary(cell, cells[cell]) for cell in sorted(cells)]


def _summary(cell: Cell, rows: Sequence[Measurement]) -> CellSummary:
    rates = _of_passes(rows, lambda row: row.images_per_s)
    low, median, high = quartiles(rates)
    return CellSummary(
        cell=cell,
        passes=len(rates),
        images_per_s=median,
        low=low,
        high=high,
        mb_per_s=statistics.median(_of_passes(rows, lambda row: row.mb_per_s)),
        first_batch_s=statistics.median(row.first_batch_s for row in rows),
        not_as_asked=sum(not row.as_asked for row in rows),
    )


def _of_passes(rows: Sequence[Measurement], rate: Callable[[Measurement], float]) -> list[float]:
    """The rate of each pass: the sum over its processes, which read at the same time. On Spark each row stands alone."""
    sums: dict[tuple[int, int], float] = defaultdict(float)
    for number, row in enumerate(rows):
        sums[row.repetition, number if row.engine == "spark" else 0] += rate(row)
    return list(sums.values())


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile, by linear interpolation."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


def speed_up(ours: Iterable[CellSummary], theirs: Iterable[CellSummary]) -> list[float]:
    """How many times as fast `ours` is as `theirs`, for each pair of cells that differ in what is read alone; sorted."""
    rates = {_like(summary.cell): summary.images_per_s for summary in theirs}
    return sorted(own.images_per_s / rates[_like(own.cell)] for own in ours if rates.get(_like(own.cell)))


def _like(cell: Cell) -> tuple[object, ...]:
    return (
        cell.reader,
        cell.batch_size,
        cell.num_batches,
        cell.parallel_reads,
        cell.decode,
        cell.cache,
        cell.concurrency,
    )


def sums_of(rows: Iterable[Measurement]) -> Iterator[tuple[Group, Sum]]:
    """What each row that is no warm-up adds to the averages by factor."""
    for row in rows:
        if not row.warm_up:
            for factor, level in FACTORS.items():
                yield (row.dataset, row.reader, factor, level(row)), (row.images_per_s, 1)


def add(first: Sum, second: Sum) -> Sum:
    """The sum of two sums."""
    return first[0] + second[0], first[1] + second[1]


def averages(sums: Iterable[tuple[Group, Sum]]) -> Averages:
    """Means by data set, reader, factor and level, of sums that may come in parts."""
    totals: dict[Group, Sum] = {}
    for group, part in sums:
        totals[group] = add(totals[group], part) if group in totals else part
    result: Averages = {}
    for (dataset, reader, factor, level), (total, count) in sorted(totals.items(), key=lambda item: str(item[0])):
        by_level = result.setdefault(dataset, {}).setdefault(reader, {}).setdefault(factor, {})
        by_level[level] = total / count
    return {
        dataset: {
            reader: {factor: dict(sorted(levels.items(), key=_order)) for factor, levels in factors.items()}
            for reader, factors in readers.items()
        }
        for dataset, readers in result.items()
    }


def _order(item: tuple[object, float]) -> tuple[bool, float, str]:
    level = item[0]
    return (isinstance(level, str), 0.0 if isinstance(level, str) else float(level), str(level))  # type: ignore[arg-type]
