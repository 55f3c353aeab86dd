"""Trials from a table of measured runs: a search that costs nothing and whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shardmill.errors import UsageError
from shardmill.search.base import Outcome, Trial
from shardmill.search.shapes import Shape, distinct, told_apart
from shardmill.traces import TraceRow


class Replay:
    """One workload of a trace, as a runner of trials.

    A trial of a shape with several repeats gives one of them, drawn by the seed. A failed run of unknown length is charged
    as the longest run of the workload that ended well.
    """

    def __init__(self, rows: Sequence[TraceRow], seed: int = 0) -> None:
        runs = distinct(rows)
        self.shapes: tuple[Shape, ...] = told_apart(tuple(runs))
        rng = np.random.default_rng([seed, 29])
        self._drawn = [own[int(rng.integers(len(own)))] for own in runs.values()]
        self._runs = list(runs.values())
        self._longest_s = max((row.runtime_s or 0.0 for row in rows), default=0.0)

    def run(self, shape: int, fraction: float = 1.0, limit_s: float | None = None) -> Trial:
        """The run of `shape` that the seed drew; cut off after `limit_s` seconds if it took longer."""
        row = self._drawn[shape]
        if limit_s is not None and (row.runtime_s or self._longest_s) > limit_s:
            return Trial(shape, "cut", limit_s)
        outcome: Outcome = row.status
        return Trial(shape, outcome, row.runtime_s)

    def paid_usd(self, trial: Trial) -> float:
        """What `trial` cost."""
        return (trial.runtime_s or self._longest_s) * self.shapes[trial.shape].usd_per_s

    def true_runtimes_s(self) -> NDArray[np.float64]:
        """Mean run time of each shape over its repeats that ended well, shape (k,); infinite where none did."""
        ended = [[row.runtime_s for row in own if row.status == "ok" and row.runtime_s] for own in self._runs]
        return np.array([math.fsum(times) / len(times) if times else math.inf for times in ended])


def workloads(rows: Sequence[TraceRow]) -> Mapping[str, tuple[TraceRow, ...]]:
    """The rows of each workload, in the order of the trace."""
    split: dict[str, list[TraceRow]] = {}
    for row in rows:
        split.setdefault(row.workload, []).append(row)
    return {name: tuple(own) for name, own in split.items()}


def one_workload(rows: Sequence[TraceRow], name: str | None) -> tuple[str, tuple[TraceRow, ...]]:
    """The workload called `name`, or the only one.

    Raises:
        UsageError: there is none of that name, or several and no name.
    """
    split = workloads(rows)
    if name is None and len(split) == 1:
        return next(iter(split.items()))
    if name is not None and name in split:
        return name, split[name]
    known = ", ".join(split)
    problem = f"the trace has no workload {name!r}" if name else "the trace has several workloads"
    raise UsageError(f"{problem}; name one with --workload: {known}.")
