"""What the runs of earlier workloads tell of the next one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from shardmill.search.base import Problem, Trial
from shardmill.search.gaussian import Floats, condition
from shardmill.search.settings import Settings
from shardmill.search.shapes import distinct
from shardmill.traces import TraceRow

_FEW: Final = 4
"""Runs of a workload below which it tells nothing."""


def as_trials(problem: Problem, rows: Sequence[TraceRow]) -> list[Trial]:
    """The runs in `rows` on shapes of `problem`, as trials: the mean of those that ended well."""
    trials = []
    places = {shape: index for index, shape in enumerate(problem.shapes)}
    for shape, runs in distinct(rows).items():
        times = [row.runtime_s for row in runs if row.status == "ok" and row.runtime_s is not None]
        if shape in places and times:
            trials.append(Trial(places[shape], "ok", sum(times) / len(times)))
    return trials


def explains(
    problem: Problem,
    surfaces: Floats,
    covariance: Floats,
    noise: Floats,
    history: Sequence[Sequence[Trial]],
    settings: Settings,
) -> Floats | None:
    """How well each surface explains earlier workloads, as weights of sum 1, shape (M,); None where there are none."""
    middle = slice(
        len(noise) // 2, len(noise) // 2 + 1
    )  # one kernel of middling errors: what is weighed is the surface
    known = []
    for trials in history:
        ended = [trial for trial in trials if trial.outcome == "ok"]
        if len(ended) < _FEW:
            continue
        seen = np.array([trial.shape for trial in ended], dtype=np.intp)
        scores = np.array([problem.score(trial) for trial in ended])
        likelihood = condition(covariance[middle], noise[middle], seen, scores - surfaces[:, seen]).log_likelihood[:, 0]
        tempered = likelihood * min(1.0, settings.history_runs / len(ended))
        weight = np.exp(tempered - tempered.max())
        known.append(weight / weight.sum())
    if not known:
        return None
    mean: Floats = np.mean(known, axis=0)
    return mean
