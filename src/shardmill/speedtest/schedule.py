"""Which passes there are, in which order, and which of them are still to be made."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from shardmill.speedtest.record import Cell, EngineName, Measurement


@dataclass(frozen=True, slots=True)
class Pass:
    """One measurement to be made."""

    cell: Cell
    repetition: int
    position: int


def schedule(cells: Sequence[Cell], repetitions: int, seed: int) -> list[Pass]:
    """Every cell once in each repetition, each repetition in a random order of its own.

    So a machine that gets slower or faster in the course of an hour does so for all cells alike, and a run that is
    stopped early has measured all cells about equally often. (A randomised complete block design.)
    """
    passes: list[Pass] = []
    for repetition in range(repetitions):
        order = sorted(cells)
        random.Random(f"{seed}/{repetition}").shuffle(order)
        passes += [Pass(cell, repetition, len(passes) + place) for place, cell in enumerate(order)]
    return passes


def missing(passes: Iterable[Pass], rows: Iterable[Measurement], engine: EngineName) -> list[Pass]:
    """Those of `passes` that `rows` do not hold whole: with concurrency, a row of each process."""
    measured = Counter((_planned(row.cell, engine), row.repetition) for row in rows if not row.warm_up)
    return [one for one in passes if measured[_planned(one.cell, engine), one.repetition] < _rows_of(one, engine)]


def _planned(cell: Cell, engine: EngineName) -> Cell:
    """On Spark the concurrency is the cluster's, which is not known when the passes are planned."""
    return replace(cell, concurrency=1) if engine == "spark" else cell


def _rows_of(one: Pass, engine: EngineName) -> int:
    return 1 if engine == "spark" else one.cell.concurrency
