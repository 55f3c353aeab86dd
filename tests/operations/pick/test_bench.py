from __future__ import annotations

import json
from pathlib import Path

import pytest

import shardmill
from shardmill.cli.main import main
from shardmill.errors import UsageError
from tests.search.jobs import cpu_bound, memory_bound, rows_of, trace_of


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bench")
    return trace_of(folder / "jobs.csv", rows_of("sort", memory_bound, limit_s=9000.0), rows_of("grep", cpu_bound))


def test_the_table_has_every_strategy(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench-pick", trace, "--seeds", "2"]) == 0
    told = capsys.readouterr().out
    for name in ("shardmill", "cherrypick", "ernest", "coordinate", "random", "exhaustive"):
        assert f"\n  {name} " in told
    assert "2 workloads, 2 seeds, cost" in told


def test_numbers_do_not_depend_on_the_processes(trace: str) -> None:
    alone = shardmill.bench_pick(trace, seeds=6, strategy=["random", "cherrypick"], workers=1)
    several = shardmill.bench_pick(trace, seeds=6, strategy=["random", "cherrypick"], workers=2)
    assert alone.table == several.table
    assert [row.searches for row in alone.table] == [12, 12]
    assert [row.workload for row in alone.by_workload] == ["sort", "sort", "grep", "grep"]


def test_deadlines_and_history(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench-pick", trace, "--seeds", "1", "--strategy", "shardmill", "--json"]
    assert main([*words, "--deadline-percentile", "30", "--deadline-percentile", "70", "--history", trace]) == 0
    (row,) = json.loads(capsys.readouterr().out)["table"]
    assert row["searches"] == 4
    assert row["keeps_limits"] == 1.0


def test_shapes_that_fail_can_be_left_out_as_papers_do(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    paid = shardmill.bench_pick(trace, seeds=1, strategy=["exhaustive"])
    left_out = shardmill.bench_pick(trace, seeds=1, strategy=["exhaustive"], failures="left-out")
    assert [row.runs_used for row in paid.by_workload] == [36, 36]
    assert left_out.by_workload[0].runs_used < 36
    assert left_out.by_workload[1] == paid.by_workload[1]
    assert main(["bench-pick", trace, "--seeds", "1", "--strategy", "random", "--failures", "left-out"]) == 0
    assert "trials paid for, shapes that fail left out of the list" in capsys.readouterr().out


def test_nothing_is_left_of_a_trace_of_failures(tmp_path: Path) -> None:
    trace = trace_of(tmp_path / "failed.csv", rows_of("sort", memory_bound, limit_s=1.0))
    with pytest.raises(UsageError, match="nothing is left with --failures left-out"):
        shardmill.bench_pick(trace, failures="left-out")


def test_wrong_requests_end_in_a_sentence(trace: str) -> None:
    with pytest.raises(UsageError, match="name at least one trace"):
        shardmill.bench_pick()
    with pytest.raises(UsageError, match="unknown strategy 'luck'"):
        shardmill.bench_pick(trace, strategy=["luck"])
    with pytest.raises(UsageError, match="--deadline-percentile is 101"):
        shardmill.bench_pick(trace, deadline_percentile=[101.0])
