"""The strategy `ernest`: a running-time model for each machine type, fitted on small runs by non-negative least squares.

Source: Venkataraman et al., "Ernest: Efficient Performance Prediction for Large-Scale Advanced Analytics", NSDI 2016; the
terms of the model and the design of the experiments are theirs. Where runs of a part of the data are possible
(`Problem.fractions`) the design chooses parts and numbers of nodes; where only whole runs are, as in a trace, each type is
fitted on its smallest clusters instead, which is dearer than what the paper does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shardmill.errors import UsageError
from shardmill.search.base import Goal, Problem, Proposal, Trial

Floats = NDArray[np.float64]

WHOLE_RUNS: Final = 3
"""Of each machine type, where parts of the data cannot be run: one more than the terms that matter on few nodes."""
PART_RUNS: Final = 5
"""Of each machine type, where they can; the paper uses about seven for all its terms."""


def ernest_features(scale: Floats, machines: Floats) -> Floats:
    """Design matrix of the Ernest running-time model.

    Args:
        scale: share of the data read by each run, shape (n,), in (0, 1].
        machines: nodes used by each run, shape (n,), at least 1.

    Returns:
        Shape (n, 4): constant, scale / machines, log(machines), machines. Times the fitted weights it gives seconds.

    Raises:
        UsageError: the two arrays differ in length.
    """
    if scale.shape != machines.shape:
        raise UsageError(f"scale has shape {scale.shape} but machines has {machines.shape}; give one row per run")
    return np.column_stack([np.ones_like(scale), scale / machines, np.log(machines), machines])


def nonnegative_least_squares(matrix: Floats, target: Floats) -> Floats:
    """The x >= 0 that minimises |matrix x - target|.

    Args:
        matrix: shape (n, p).
        target: shape (n,).

    Returns:
        Shape (p,).

    Source: Lawson and Hanson, "Solving Least Squares Problems", 1974, chapter 23 (an active set).
    """
    count = matrix.shape[1]
    passive = np.zeros(count, dtype=bool)
    x = np.zeros(count)
    scale = float(np.abs(matrix.T @ target).max(initial=0.0))
    for _ in range(3 * count + 10):
        gradient = matrix.T @ (target - matrix @ x)
        gradient[passive] = -np.inf
        entering = int(np.argmax(gradient))
        if passive.all() or gradient[entering] <= 1e-10 * max(scale, 1e-300):
            break
        passive[entering] = True
        while True:
            z = np.zeros(count)
            z[passive] = np.linalg.lstsq(matrix[:, passive], target, rcond=None)[0]
            if (z[passive] > 0).all():
                x = z
                break
            leaving = passive & (z <= 0)
            gaps = x[leaving] / np.maximum(x[leaving] - z[leaving], 1e-300)
            x = x + float(gaps.min()) * (z - x)
            passive &= x > 1e-12 * max(1.0, float(np.abs(x).max()))
            x[~passive] = 0.0
            if not passive.any():
                break
    return x


def next_experiment(seen: Floats, choices: Floats, price: Floats) -> int:
    """Index of the choice that lowers the summed variance of the fitted weights most for its price.

    Args:
        seen: features of the runs made, shape (n, p).
        choices: features of the runs that can be made, shape (c, p).
        price: of each choice, above 0, shape (c,).

    Source: the A-optimal design of the paper's section 3.3, taken greedily.
    """
    largest = np.abs(np.vstack([seen, choices])).max(axis=0)
    base = (seen / largest).T @ (seen / largest) + 1e-3 * np.eye(seen.shape[1])
    inverse = np.linalg.inv(base)
    scaled = choices / largest
    projected = scaled @ inverse
    gain = (projected**2).sum(axis=1) / (1.0 + (projected * scaled).sum(axis=1))
    return int(np.argmax(gain / price))


class ErnestStrategy:
    """Runs each machine type's experiments, then the shape that the models expect to be best."""

    def __init__(self, problem: Problem, seed: int, goal: Goal) -> None:
        self._problem = problem
        shapes = problem.shapes
        kinds = {(shape.machine_type, shape.extra): None for shape in shapes}
        self._members = [
            sorted(
                (index for index, shape in enumerate(shapes) if (shape.machine_type, shape.extra) == kind),
                key=lambda index: shapes[index].node_count,
            )
            for kind in kinds
        ]
        self._turn = np.random.default_rng([seed, 17]).permutation(len(self._members)).tolist()

    def propose(self, trials: Sequence[Trial]) -> Proposal:
        whole = [trial for trial in trials if trial.fraction == 1.0]
        untried = set(self._problem.untried(whole))
        if not untried:
            return Proposal(None, "every shape has been tried", stop=True)
        for turn in self._turn:
            experiment = self._experiment(self._members[turn], trials, untried)
            if experiment is not None:
                shape, fraction = experiment
                part = "the whole job" if fraction == 1.0 else f"{fraction:.0%} of the data"
                return Proposal(shape, f"{part} on few nodes, to fit the model of this machine type", fraction=fraction)
        expected = self.predict(trials) + np.where(self.predict(trials) > self._problem.limits, 100.0, 0.0)
        index = min(untried, key=lambda shape: (expected[shape], shape))
        best = self._problem.best(whole)
        stop = best is not None and self._problem.score(best) <= expected[index]
        return Proposal(index, "the models expect it to be best", stop=stop)

    def _experiment(self, members: list[int], trials: Sequence[Trial], untried: set[int]) -> tuple[int, float] | None:
        """The next experiment of one machine type, as (shape, fraction); None when it has had its share."""
        parts = [fraction for fraction in self._problem.fractions if fraction < 1.0]
        own = [trial for trial in trials if trial.shape in members]
        if not parts:
            ended = sum(trial.outcome == "ok" for trial in own)
            left = [member for member in members if member in untried]
            return (left[0], 1.0) if left and ended < WHOLE_RUNS and len(own) < 2 * WHOLE_RUNS else None
        if len(own) >= PART_RUNS:
            return None
        tried = {(trial.shape, trial.fraction) for trial in own}
        choices = [(member, part) for member in members for part in parts if (member, part) not in tried]
        if not choices:
            return None
        nodes = self._problem.table.nodes
        seen = ernest_features(np.array([t.fraction for t in own]), np.array([nodes[t.shape] for t in own]))
        features = ernest_features(np.array([part for _, part in choices]), np.array([nodes[m] for m, _ in choices]))
        price = np.array(
            [part * nodes[member] ** 0.5 for member, part in choices]
        )  # longer on few nodes, dearer on many
        return choices[next_experiment(seen, features, price)]

    def predict(self, trials: Sequence[Trial]) -> Floats:
        """Expected score of every shape, shape (k,); infinite for types without a run that ended well."""
        problem, nodes = self._problem, self._problem.table.nodes
        scores = np.full(len(problem.shapes), np.inf)
        for members in self._members:
            own = [trial for trial in trials if trial.shape in members and trial.outcome == "ok"]
            if not own:
                continue
            features = ernest_features(np.array([t.fraction for t in own]), np.array([nodes[t.shape] for t in own]))
            seconds = np.array([trial.runtime_s for trial in own], dtype=float)
            weights = nonnegative_least_squares(features / seconds[:, None], np.ones(len(own)))  # relative errors
            expected = ernest_features(np.ones(len(members)), nodes[members]) @ weights
            scores[members] = np.log(np.maximum(expected, 1e-9)) - problem.time_offset[members]
        return scores
