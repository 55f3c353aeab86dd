"""The best shape by time or cost, the next one, and how sure it is that they differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shardmill.report.shapes.study import Study, known_values, middle
from shardmill.sweep.cells import CellRuns
from shardmill.sweep.compare import Ratio, ratio_of, repetition_of
from shardmill.sweep.row import SweepRow

Value = Callable[[SweepRow], float | None]


@dataclass(frozen=True, slots=True)
class Best:
    """The shapes with the two smallest medians, each at the number of partitions suggested for it."""

    first: CellRuns
    second: CellRuns
    median: float
    """Of `first`."""
    ratio: Ratio
    """`second` over `first`."""
    shapes: int
    """That have the value."""


def best_of(study: Study, value: Value) -> Best | None:
    """None where fewer than two shapes have the value."""
    medians = {shape: one for shape in study.shapes if (one := middle(study.chosen(shape), value)) is not None}
    if len(medians) < 2:
        return None
    first, second = (study.chosen(shape) for shape in sorted(medians, key=lambda shape: medians[shape])[:2])
    cells = [known_values(cell.rows, value) for cell in study.cells]
    ratio = ratio_of(
        known_values(second.rows, value),
        known_values(first.rows, value),
        repetition_of([values for values in cells if values]),
        len(medians) - 1,
    )
    return Best(first, second, medians[first.cell.shape], ratio, len(medians))
