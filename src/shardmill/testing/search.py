"""What every search strategy must do."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from shardmill.search.base import Goal, Problem, Trial
from shardmill.search.experience import make_strategy
from shardmill.search.replay import Replay
from shardmill.search.shapes import Shape
from shardmill.testing.jobs import cpu_bound, memory_bound, rows_of, shapes


class StrategyConformance:
    """Subclass it and give `name`, by which `--strategy` finds the strategy."""

    name: ClassVar[str]

    def searched(self, problem: Problem, replay: Replay, seed: int, runs: int) -> list[Trial]:
        strategy = make_strategy(self.name, problem, seed, Goal())
        trials: list[Trial] = []
        for _ in range(runs):
            proposal = strategy.propose(trials)
            if proposal.shape is None:
                break
            trials.append(replay.run(proposal.shape, proposal.fraction))
        return trials

    @pytest.mark.parametrize("limit_s", [float("inf"), 4000.0])
    def test_every_shape_is_proposed_once(self, limit_s: float) -> None:
        replay = Replay(rows_of("job", memory_bound, limit_s=limit_s))
        problem = Problem(replay.shapes)
        trials = self.searched(problem, replay, 0, 1000)
        assert sorted(trial.shape for trial in trials) == list(range(len(problem.shapes)))
        last = make_strategy(self.name, problem, 0, Goal()).propose(trials)
        assert (last.shape, last.stop) == (None, True)

    def test_nothing_but_failures_is_endured(self) -> None:
        replay = Replay(rows_of("job", cpu_bound, limit_s=1.0))
        trials = self.searched(Problem(replay.shapes), replay, 0, 1000)
        assert len(trials) == len(replay.shapes)

    def test_a_proposal_depends_on_the_trials_alone(self) -> None:
        """A search that is taken up by another process goes on as it would have."""
        replay = Replay(rows_of("job", memory_bound))
        problem = Problem(replay.shapes)
        trials = self.searched(problem, replay, 3, 9)
        for runs in (0, 1, 4, 8):
            proposal = make_strategy(self.name, problem, 3, Goal()).propose(trials[:runs])
            assert proposal.shape == trials[runs].shape

    def test_a_shape_alone(self) -> None:
        problem = Problem((Shape("m4.large", 1, 2, 8, 0.1),))
        strategy = make_strategy(self.name, problem, 0, Goal())
        assert strategy.propose([]).shape == 0
        assert strategy.propose([Trial(0, "ok", 10.0)]).shape is None

    def test_beliefs_are_numbers_in_order(self) -> None:
        replay = Replay(rows_of("job", memory_bound, limit_s=4000.0))
        problem = Problem(replay.shapes, deadline_s=3000.0)
        trials = self.searched(problem, replay, 1, 12)
        strategy = make_strategy(self.name, problem, 1, Goal())
        for runs in range(len(trials)):
            proposal = strategy.propose(trials[:runs])
            assert proposal.confidence is None or 0 <= proposal.confidence <= 1
            if (belief := proposal.belief) is not None:
                assert belief.low.shape == (len(shapes()),)
                assert (belief.low <= belief.median).all()
                assert (belief.median <= belief.high).all()
                assert np.isfinite(belief.high).all()
                assert ((belief.success >= 0) & (belief.success <= 1)).all()
