from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from shardmill.clusters.base import ClusterSpec
from shardmill.sweep.cells import cells_of
from shardmill.sweep.partitions import Suggestion, suggestions
from tests.sweep.made import renamed, rows, run_of, shape

Plan = Mapping[int, tuple[Sequence[float], Sequence[float]]]
"""Times of the runs and of the tasks, by number of partitions."""


def suggested(plan: Plan, spec: ClusterSpec | None = None) -> Suggestion:
    spec = spec or shape(workers=4)
    runs = [
        run_of(spec, count, elapsed_s=seconds, tasks=tasks, repetition=number)
        for count, (times, tasks) in plan.items()
        for number, seconds in enumerate(times)
    ]
    runs = [renamed(run, place) for place, run in enumerate(runs)]
    (one,) = suggestions(cells_of(rows([spec], runs)))
    return one


def test_few_tasks_are_told_from_enough() -> None:
    one = suggested({1: ((40, 41, 40), (36,)), 4: ((14, 14.2, 14.1), (9,) * 4), 16: ((13.0, 13.1, 13.2), (2.2,) * 16)})
    assert one.best.partitions == 16
    assert one.told
    assert [tried.told_apart for tried in one.tried] == [True, True, False]
    assert "1 takes 3.1 times (3.0 to 3.2) as long as 16" in one.reason
    assert "tasks for 25% of the cores" in one.reason
    assert "16 makes 4 waves" in one.reason


def test_of_those_alike_the_fewest_that_fill_the_cores() -> None:
    one = suggested({2: ((30, 31), (13,) * 2), 8: ((16, 17.2), (5,) * 8), 64: ((15.9, 17), (0.6,) * 64)})
    assert one.best.partitions == 8
    assert "8 could not be told apart from 64, and has fewer tasks to start." in one.reason


def test_no_difference_is_said() -> None:
    one = suggested({4: ((10, 12, 11), (5,) * 4), 16: ((11, 10, 12), (1.2,) * 16)})
    assert not one.told
    assert one.best.partitions == 4
    assert one.reason.startswith("No difference could be told between 4 and 16")
    assert "smallest that gives every core a task" in one.reason


def test_single_runs_tell_nothing() -> None:
    one = suggested({4: ((10,), (5,) * 4), 16: ((11,), (1.2,) * 16)})
    assert (one.best.partitions, one.told) == (4, False)
    assert "cannot be told" in one.reason or "can be told from chance" in one.reason


def test_only_one_number() -> None:
    one = suggested({6: ((10, 11), (3,) * 6)})
    assert one.reason.startswith("No other number was tried. 6 makes 1.5 waves")
    assert "leaves 25% of the cores' time" in one.reason


@pytest.mark.parametrize(
    ("tasks", "why"),
    [
        ((9, 1, 1, 1, 1, 1, 1, 1), "its longest task takes 9.0 times the median one"),
        ((0.15,) * 64, "sending its tasks about takes 13% of their time"),
        ((3,) * 5, "its last wave leaves 38% of the cores' time idle"),
    ],
)
def test_why_a_number_is_slow(tasks: Sequence[float], why: str) -> None:
    one = suggested({len(tasks): ((25, 25.1, 25.2), tasks), 16: ((13.0, 13.1, 13.2), (2.2,) * 16)})
    assert why in one.reason


def test_the_edge_of_what_was_tried_is_said() -> None:
    one = suggested({2: ((40, 41, 40), (18, 18)), 3: ((28, 28.1, 28.3), (12,) * 3)})
    assert "largest that was tried: try more" in one.reason


def test_the_number_that_the_job_chooses_takes_part() -> None:
    spec = shape(workers=4)
    runs = [
        run_of(spec, None, elapsed_s=10, position=0),
        run_of(spec, None, elapsed_s=10.1, position=1),
        run_of(spec, 1, elapsed_s=30, tasks=(20,), position=2),
        run_of(spec, 1, elapsed_s=30.3, tasks=(20,), position=3),
    ]
    (one,) = suggestions(cells_of(rows([spec], [renamed(run, place) for place, run in enumerate(runs)])))
    assert one.best.partitions is None
    assert "as long as its own choice: it has tasks for 25% of the cores. Its own choice makes one wave" in one.reason
