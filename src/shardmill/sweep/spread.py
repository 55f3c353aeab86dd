"""Where the spread of the run times comes from: shape, partitions, node, repetition.

    symbol   shape    meaning
    c                 cells of shape x partitions in which runs ended well
    y        (n,)     log(elapsed_s) of their runs, first runs on a cluster apart
    m        (c,)     means of y within the cells
    D        (c, c)   diagonal, 1 / runs of the cell
    Q        (c, c)   what a factor explains: the projection with it less the one without it
    s2                variance of repetitions within a cell, pooled

The grid is what was asked for, not a sample of all grids, so that the components are those of its cells, all weighing the
same: theta = m' Q m / c, from which the part that repetitions alone would bring, s2 tr(Q D) / c, is taken off. That is the
method of moments, and right on average however unequal the cells. Where cells are missing, what a factor explains depends on
which factor comes first: both orders are averaged. With log times, a component's root is a share of the run time.

A shape is made as one cluster; what is peculiar to that cluster counts as its shape's.

Nodes differ within a run, so their component comes from the tasks: log task times, less the mean of their run, within and
between nodes (one-way random effects, unequal numbers).

Source: Searle, Casella, McCulloch, "Variance Components", 1992 (ANOVA estimators for unbalanced data, chapters 3 and 5);
Yates, "The analysis of multiple classifications with unequal numbers in the different classes", Journal of the American
Statistical Association 29 (1934), for cells weighed alike; Kruskal, "Relative importance by averaging over orderings", The
American Statistician 41 (1987). Intervals: residual bootstrap of the cell means (Davison and Hinkley, "Bootstrap Methods and
their Application", 1997, 6.3), less its bias, which is known exactly; for nodes a bootstrap of whole runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from shardmill.model.distributions import t_quantile
from shardmill.sweep.cells import CellRuns
from shardmill.sweep.evidence import RunSeen

Array = NDArray[np.float64]
Source = Literal["shape", "partitions", "shape and partitions together", "repetition", "node"]

CONFIDENCE: Final = 0.95
_DRAWS: Final = 2000
_LEAST_RUNS: Final = 5
"""For an interval from resampling whole runs."""


@dataclass(frozen=True, slots=True)
class Component:
    """One source of spread."""

    source: Source
    deviation: float
    """Standard deviation of log(elapsed); for `node` of log(task time). 0.1 is about 10 % of the run time."""
    interval: tuple[float, float] | None
    """95%; None where there is too little to judge it by."""
    share: float | None
    """Of the variance of log(elapsed) over the whole grid, 0 to 1; None for `node`, which lies within a run."""

    @property
    def percent(self) -> float:
        """What one standard deviation makes of the run time: 12 is 12 % longer."""
        return 100 * math.expm1(self.deviation)

    @property
    def percent_interval(self) -> tuple[float, float] | None:
        if self.interval is None:
            return None
        low, high = self.interval
        return 100 * math.expm1(low), 100 * math.expm1(high)


@dataclass(frozen=True, slots=True)
class FirstRun:
    """How much longer the first run on a cluster takes than the others of its cell."""

    ratio: float
    """Geometric mean; 1.2 is a fifth longer."""
    interval: tuple[float, float] | None
    runs: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the spread comes from."""

    components: tuple[Component, ...]
    """Factors that vary, in the order of `Source`. Without a repetition anywhere, what the two factors together explain
    and what a repetition brings cannot be told apart, and both stand under `repetition`."""
    repeated: bool
    """There is a cell with two runs or more."""
    first: FirstRun | None


def spread_of(cells: Sequence[CellRuns], runs: Sequence[RunSeen], seed: int = 0) -> Spread | None:
    """Components of the spread over `cells`, and of nodes within `runs`; None where there are fewer than two runs."""
    logs = [np.log([row.elapsed_s for row in cell.rows]) for cell in cells]
    if sum(len(values) for values in logs) < 2:
        return None
    rng = np.random.default_rng(seed)
    components = _between_runs(cells, logs, rng)
    node = _node(runs, rng)
    if node is not None:
        components.append(node)
    return Spread(tuple(components), any(len(values) > 1 for values in logs), _first_run(cells, logs))


def _within(logs: Sequence[Array]) -> tuple[float, int]:
    squares = math.fsum(float(((values - values.mean()) ** 2).sum()) for values in logs)
    return squares, sum(len(values) - 1 for values in logs)


def _between_runs(cells: Sequence[CellRuns], logs: Sequence[Array], rng: np.random.Generator) -> list[Component]:
    means = np.array([values.mean() for values in logs])
    counts = np.array([len(values) for values in logs])
    factors = _projections(cells)
    squares, dof = _within(logs)
    if dof:
        variance = squares / dof
    else:  # what the factors do not explain one by one is all there is to judge by
        both = factors.pop("shape and partitions together", None)
        dof = 0 if both is None else round(np.trace(both))
        variance = float(means @ both @ means) / dof if both is not None and dof else math.nan
    weights = 1 / counts
    raw = {name: float(means @ q @ means) / len(means) for name, q in factors.items()}
    noise = {name: float((np.diag(q) * weights).sum()) / len(means) for name, q in factors.items()}
    known = 0.0 if math.isnan(variance) else variance
    found = {name: max(raw[name] - known * noise[name], 0.0) for name in factors}
    total = sum(found.values()) + known
    intervals: dict[Source, tuple[float, float]] = {}
    if dof:
        intervals = _resampled(means, weights, factors, noise, variance, dof, rng)
    components = [
        Component(name, math.sqrt(value), intervals.get(name), value / total if total else 0.0)
        for name, value in found.items()
    ]
    if dof:
        share = variance / total if total else 0.0
        components.append(Component("repetition", math.sqrt(variance), intervals["repetition"], share))
    return components


def _projections(cells: Sequence[CellRuns]) -> dict[Source, Array]:
    """Q of each factor that varies."""
    shapes = _indicators([cell.cell.shape for cell in cells])
    counts = _indicators([cell.cell.partitions for cell in cells])
    one = np.ones((len(cells), 1))
    none, shape, partitions = _projection(one), _projection(shapes), _projection(counts)
    both = _projection(np.hstack([shapes, counts]))
    found: dict[Source, Array] = {}
    if shapes.shape[1] > 1:
        found["shape"] = ((shape - none) + (both - partitions)) / 2
    if counts.shape[1] > 1:
        found["partitions"] = ((partitions - none) + (both - shape)) / 2
    rest = np.eye(len(cells)) - both
    if len(found) == 2 and round(np.trace(rest)) > 0:
        found["shape and partitions together"] = rest
    return found


def _indicators(levels: Sequence[object]) -> Array:
    different = list(dict.fromkeys(levels))
    return np.array([[float(level == each) for each in different] for level in levels])


def _projection(columns: Array) -> Array:
    """Onto the space of `columns`, which may depend on each other."""
    return np.asarray(columns @ np.linalg.pinv(columns), np.float64)


def _resampled(
    means: Array,
    weights: Array,
    factors: dict[Source, Array],
    noise: dict[Source, float],
    variance: float,
    dof: int,
    rng: np.random.Generator,
) -> dict[Source, tuple[float, float]]:
    """Intervals of the deviations: cell means and pooled variance drawn anew around what was found."""
    drawn = means + rng.normal(size=(_DRAWS, len(means))) * np.sqrt(variance * weights)
    variances = variance * rng.chisquare(dof, _DRAWS) / dof
    intervals: dict[Source, tuple[float, float]] = {
        "repetition": _quantiles(variance * dof / rng.chisquare(dof, _DRAWS))
    }
    for name, q in factors.items():
        raw = np.einsum("ij,jk,ik->i", drawn, q, drawn) / len(means)
        bias = variance * noise[name]  # means drawn around means: the noise of the repetitions is in there twice
        intervals[name] = _quantiles(raw - bias - variances * noise[name])
    return intervals


def _quantiles(variances: Array) -> tuple[float, float]:
    low, high = np.quantile(np.maximum(variances, 0.0), ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return math.sqrt(low), math.sqrt(high)


def _first_run(cells: Sequence[CellRuns], logs: Sequence[Array]) -> FirstRun | None:
    """First runs against the others of their cells."""
    pairs = [
        (math.log(row.elapsed_s) - float(values.mean()), 1 + 1 / len(values))
        for cell, values in zip(cells, logs, strict=True)
        for row in cell.cold
    ]
    if not pairs:
        return None
    mean = sum(excess for excess, _ in pairs) / len(pairs)
    squares, dof = _within(logs)
    interval = None
    if dof:
        error = math.sqrt(squares / dof * sum(factor for _, factor in pairs)) / len(pairs)
        half = t_quantile(CONFIDENCE, dof) * error
        interval = (math.exp(mean - half), math.exp(mean + half))
    return FirstRun(math.exp(mean), interval, len(pairs))


def _node(runs: Sequence[RunSeen], rng: np.random.Generator) -> Component | None:
    """From the tasks of each run's longest stage; None where no run has, after the first task of
    each core, two tasks or more on each of its nodes."""
    sums = [one for run in runs if (one := _node_sums(run)) is not None]
    if not sums:
        return None
    table = np.array(sums)
    total = table.sum(axis=0)
    variance = _node_variance(total[None, :])[0]
    if math.isnan(variance):
        return None
    interval = None
    if len(sums) >= _LEAST_RUNS:
        picks = rng.integers(len(sums), size=(_DRAWS, len(sums)))
        drawn = _node_variance(table[picks].sum(axis=1))
        interval = _quantiles(drawn[~np.isnan(drawn)])
    return Component("node", math.sqrt(max(variance, 0.0)), interval, None)


def _node_sums(run: RunSeen) -> tuple[float, float, float, float, float] | None:
    """Squares between and within nodes, their degrees of freedom, and the coefficient of the node's variance."""
    if run.log is None or run.outcome.state != "done":
        return None
    stages: dict[int, float] = {}
    for task in run.log.tasks:
        stages[task.stage] = stages.get(task.stage, 0.0) + task.seconds
    if not stages:
        return None
    longest = max(stages, key=lambda stage: stages[stage])
    by_node: dict[str, list[float]] = {}
    cold = {executor.id: executor.cores for executor in run.log.executors}
    for task in sorted(run.log.tasks, key=lambda task: task.launched_at):
        if cold.get(task.executor, 0) > 0:
            cold[task.executor] -= 1  # the first task of a core also starts Python, on every node alike
        elif task.stage == longest and task.ok and task.seconds > 0:
            by_node.setdefault(task.host, []).append(math.log(task.seconds))
    groups = [np.array(values) for values in by_node.values()]
    if len(groups) < 2 or min(map(len, groups)) < 2:
        return None  # with one task a node, what differs may as well be the tasks
    count = sum(len(group) for group in groups)
    grand = math.fsum(float(group.sum()) for group in groups) / count
    between = math.fsum(len(group) * (float(group.mean()) - grand) ** 2 for group in groups)
    within = math.fsum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    coefficient = count - sum(len(group) ** 2 for group in groups) / count
    return between, len(groups) - 1, within, count - len(groups), coefficient


def _node_variance(sums: Array) -> Array:
    """(b - dof_b * w / dof_w) / coefficient for each row of sums; nan without tasks to tell nodes from tasks by."""
    between, dof_between, within, dof_within, coefficient = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((between - dof_between * within / dof_within) / coefficient, np.float64)
