"""The runs of a sweep, by what was varied: those that are compared, and those that are left out and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from shardmill.sweep.evidence import Cell
from shardmill.sweep.row import SweepRow
from shardmill.units import format_count


@dataclass(frozen=True, slots=True)
class CellRuns:
    """The runs of one cell that ended well."""

    cell: Cell
    rows: tuple[SweepRow, ...]
    """What is compared; without the first run on a cluster, unless there is no other."""
    cold: tuple[SweepRow, ...]
    """First runs that are left out of `rows`: they also paid for what was cold on their cluster."""

    @property
    def elapsed_s(self) -> float:
        """The median."""
        return median(row.elapsed_s for row in self.rows)

    @property
    def range_s(self) -> tuple[float, float]:
        times = [row.elapsed_s for row in self.rows]
        return min(times), max(times)


def cells_of(rows: Sequence[SweepRow]) -> list[CellRuns]:
    """The cells with a run that ended well; shapes in the order in which they come, partitions from few to many."""
    grouped: dict[Cell, list[SweepRow]] = {}
    for row in rows:
        if row.state == "done" and row.elapsed_s > 0:
            grouped.setdefault(Cell(row.shape, row.partitions), []).append(row)
    shapes = list(dict.fromkeys(row.shape for row in rows))
    found = []
    for cell in sorted(grouped, key=lambda cell: (shapes.index(cell.shape), cell.partitions or 0)):
        warm = [row for row in grouped[cell] if not row.first]
        cold = [row for row in grouped[cell] if row.first]
        found.append(CellRuns(cell, tuple(warm), tuple(cold)) if warm else CellRuns(cell, tuple(cold), ()))
    return found


def by_shape(cells: Sequence[CellRuns]) -> dict[str, list[CellRuns]]:
    """In the order in which they come."""
    grouped: dict[str, list[CellRuns]] = {}
    for cell in cells:
        grouped.setdefault(cell.cell.shape, []).append(cell)
    return grouped


def partitions_words(partitions: int | None) -> str:
    """`16`, or what stands for the job's own choice."""
    return "its own choice" if partitions is None else f"{partitions:,}"


def counted_partitions(partitions: int | None) -> str:
    """`1 partition`, `16 partitions`, or what stands for the job's own choice."""
    return "partitions of its own choice" if partitions is None else format_count(partitions, "partition")
