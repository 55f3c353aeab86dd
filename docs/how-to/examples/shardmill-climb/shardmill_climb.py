"""Both ends of the range of cores first, then always the shape that is nearest to the best one so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shardmill.search.base import Goal, Problem, Proposal, Trial

PATIENCE = 3


class ClimbStrategy:
    """See `shardmill.search.base.Strategy`."""

    def __init__(self, problem: Problem, seed: int, goal: Goal) -> None:
        self._problem = problem
        self._cores = np.log(problem.table.nodes * problem.table.node_cores)

    def propose(self, trials: Sequence[Trial]) -> Proposal:
        untried = self._problem.untried(trials)
        if not untried:
            return Proposal(None, "every shape has been tried", stop=True)
        for end in (int(self._cores.argmin()), int(self._cores.argmax())):
            if end in untried:
                return Proposal(end, "an end of the range of cores")
        best = self._problem.best(trials)
        if best is None:
            return Proposal(untried[0], "none has ended well so far")
        distances = np.abs(self._cores[untried] - self._cores[best.shape])
        stop = len(trials) - trials.index(best) > PATIENCE
        return Proposal(untried[int(distances.argmin())], "it is nearest to the best so far", stop=stop)
