from __future__ import annotations

from functools import partial

import pytest

from shardmill.search.bench import run_search, summarise
from shardmill.search.physical import PhysicalStrategy
from shardmill.search.settings import Settings
from shardmill.search.shapes import Shape
from shardmill.traces import TraceRow
from tests.search.jobs import cpu_bound, memory_bound, rows_of


def by_hand(*times: float | None) -> list[TraceRow]:
    """One machine type of 1 USD an hour and node, in order of size, so that exhaustive search tries them in this order."""
    return [
        TraceRow(
            "job",
            "m4.large",
            count,
            2,
            8,
            1.0,
            "failed" if seconds is None else "ok",
            seconds,
            None if seconds is None else seconds / 3600 * count,
        )
        for count, seconds in enumerate(times, start=1)
    ]


def test_counts_of_a_search_worked_by_hand() -> None:
    # dollars: 3.0, failed, 2.3, 2.16, 2.0, 6.0
    rows = by_hand(10800.0, None, 2760.0, 1944.0, 1440.0, 3600.0)
    found = run_search(rows, "exhaustive", 0)
    assert found.runs_to == (3, 4, 5)
    assert found.ok_runs_to == (2, 3, 4)
    assert found.stopped_after == 6
    assert found.over_optimum == 0
    assert found.curve[:3] == pytest.approx((0.5, 0.5, 0.15))
    assert found.search_usd == pytest.approx(3.0 + 2 * 3.0 + 2.3 + 2.16 + 2.0 + 6.0)  # the failed one as the longest
    assert found.exhaustive_usd == pytest.approx(found.search_usd)


def test_a_deadline_moves_the_optimum() -> None:
    rows = by_hand(3600.0, 3500.0, 1200.0, 1000.0)  # 1.00, 1.94, 1.00, 1.11 dollars
    found = run_search(rows, "exhaustive", 0, deadline_s=1100.0)
    assert found.runs_to == (4, 4, 4)
    assert found.keeps_limits
    nothing = run_search(rows, "exhaustive", 0, deadline_s=10.0)
    assert not nothing.keeps_limits
    assert nothing.over_optimum == float("inf")


def test_repeats_are_drawn_and_judged_by_their_mean() -> None:
    rows = rows_of("job", cpu_bound, repeats=(0.8, 1.0, 1.2))
    drawn = {run_search(rows, "random", seed).search_usd for seed in range(4)}
    assert len(drawn) == 4
    one = run_search(rows, "exhaustive", 1)
    assert one.runs_to[2] <= len(one.curve) <= 36


def test_ours_says_how_sure_it_is_and_others_do_not() -> None:
    rows = rows_of("job", memory_bound)
    ours = summarise([run_search(rows, "shardmill", seed) for seed in range(3)])
    assert ours.said_share is not None
    assert ours.searches == 3
    assert len(ours.curve) == 20
    theirs = summarise([run_search(rows, "cherrypick", seed) for seed in range(3)])
    assert theirs.said_share is None
    assert ours.mean_over_optimum <= theirs.mean_over_optimum


def test_how_sure_it_was_is_told_after_each_trial() -> None:
    found = run_search(rows_of("job", memory_bound), "shardmill", 0)
    said = [one for one in found.confidences if one is not None]
    assert len(said) == len(found.confidences) == len(found.curve) + 1
    assert max(said[: found.stopped_after]) < 0.9 <= said[found.stopped_after]
    assert set(run_search(rows_of("job", memory_bound), "random", 0).confidences) == {None}


def test_settings_that_are_not_the_shipped_ones_can_be_compared() -> None:
    rows = rows_of("job", memory_bound)
    doubting = partial(PhysicalStrategy, settings=Settings(doubt=3.0))
    shipped = [run_search(rows, "shardmill", seed) for seed in range(3)]
    slower = [run_search(rows, "shardmill", seed, factory=doubting) for seed in range(3)]
    assert sum(one.stopped_after for one in slower) > sum(one.stopped_after for one in shipped)


def test_families_leave_the_size_out() -> None:
    for machine, family in {
        "c4.2xlarge": "c4",
        "r4.large": "r4",
        "n2-standard-8": "n2-standard",
        "n2-highmem-16": "n2-highmem",
        "local": "local",
        "m5.metal": "m5.metal",
    }.items():
        assert Shape(machine, 1, 2, 8, 0.1).family == family
    assert Shape("n1-standard-4", 2, 4, 15, 0.2, (("disk_kind", "ssd"),)).family == "n1-standard ssd"
