"""The strategies that know nothing of jobs: every shape, shapes by chance, and one property at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shardmill.search.base import Goal, Problem, Proposal, Trial


class ExhaustiveStrategy:
    """Tries every shape, the smallest bill an hour first."""

    def __init__(self, problem: Problem, seed: int, goal: Goal) -> None:
        self._problem = problem
        self._order = np.argsort(problem.log_rate, kind="stable").tolist()

    def propose(self, trials: Sequence[Trial]) -> Proposal:
        untried = set(self._problem.untried(trials))
        index = next((index for index in self._order if index in untried), None)
        return Proposal(index, "every shape is tried, the cheapest an hour first", stop=index is None)


class RandomStrategy:
    """Tries shapes in random order.

    Its stop rule needs no model: after n of k shapes, the best one tried is among the best `tolerance` share of all shapes
    with the probability that n draws without replacement hit that share.
    """

    def __init__(self, problem: Problem, seed: int, goal: Goal) -> None:
        self._problem, self._goal = problem, goal
        self._order = np.random.default_rng([seed, 11]).permutation(len(problem.shapes)).tolist()

    def propose(self, trials: Sequence[Trial]) -> Proposal:
        problem, goal = self._problem, self._goal
        untried = set(problem.untried(trials))
        index = next((index for index in self._order if index in untried), None)
        best = problem.best(trials) is not None
        hit = chance_of_a_hit(len(problem.shapes), goal.tolerance, len(trials)) if best else 0.0
        stop = index is None or hit >= goal.probability
        return Proposal(index, "drawn by lot", stop=stop)


def chance_of_a_hit(shapes: int, share: float, draws: int) -> float:
    """Probability that `draws` of `shapes`, without replacement, hit the best `share` of them (at least one shape)."""
    good = max(1, int(shapes * share))
    miss = 1.0
    for drawn in range(min(draws, shapes)):
        miss *= max(0.0, (shapes - good - drawn) / (shapes - drawn))
    return 1.0 - miss


class CoordinateStrategy:
    """Changes one property of the best shape at a time: walks along it while runs get better, then takes the next property.

    The properties are the number of nodes, the cores of a node, the family, and further ones that differ. It ends when no
    single step is better; asked for more, it starts again from a shape by chance.
    """

    def __init__(self, problem: Problem, seed: int, goal: Goal) -> None:
        self._problem = problem
        rng = np.random.default_rng([seed, 13])
        self._starts = rng.permutation(len(problem.shapes)).tolist()
        table = problem.table
        columns = [table.nodes, table.node_cores, table.family_index.astype(float), *table.extras.T]
        self._points = np.column_stack(columns)
        self._lines = [axis for axis in rng.permutation(len(columns)).tolist() if len(np.unique(columns[axis])) > 1]

    def propose(self, trials: Sequence[Trial]) -> Proposal:
        problem = self._problem
        scores = {trial.shape: self._worth(trial) for trial in trials}
        ended = False
        for start in self._starts:
            if start not in scores:
                return Proposal(start, "a start by lot", stop=ended)
            step = self._walk(start, scores)
            if step is not None:
                shape, axis = step
                name = (
                    ("number of nodes", "size of a node", "family of machine")[axis]
                    if axis < 3
                    else "partitions or disks"
                )
                return Proposal(shape, f"the best so far with another {name}", stop=ended)
            ended = ended or problem.best(trials) is not None
        return Proposal(None, "every shape has been tried", stop=True)

    def _worth(self, trial: Trial) -> float:
        """Of a run that is no answer: infinite, so that every walk leaves it."""
        keeps = trial.outcome == "ok" and self._problem.score(trial) <= self._problem.limits[trial.shape]
        return self._problem.score(trial) if keeps else np.inf

    def _walk(self, start: int, scores: dict[int, float]) -> tuple[int, int] | None:
        """The first untried shape, and the property changed, on the descent from `start`; None when it has ended."""
        here, settled, axis = start, 0, 0
        while settled < len(self._lines):
            line = self._lines[axis % len(self._lines)]
            moved = False
            for direction in (1, -1):
                while (there := self._neighbour(here, line, direction)) is not None:
                    if there not in scores:
                        return there, line
                    if not scores[there] < scores[here]:
                        break
                    here, moved = there, True
            settled = 0 if moved else settled + 1
            axis += 1
        return None

    def _neighbour(self, here: int, axis: int, direction: int) -> int | None:
        """The nearest shape along `axis` that differs in it alone; where there is none, in the number of nodes too."""
        points = self._points
        step = (points[:, axis] - points[here, axis]) * direction
        others = [other for other in range(points.shape[1]) if other not in (axis, 0)]
        fits = (step > 0) & (points[:, others] == points[here, others]).all(axis=1)
        if not fits.any():
            return None
        fits &= step == step[fits].min()
        gap = np.abs(np.log(points[:, 0] / points[here, 0]))
        return int(np.argmin(np.where(fits, gap, np.inf)))
