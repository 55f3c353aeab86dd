from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from pyspark import SparkContext

from shardmill.operations.speedtest.run import speedtest
from shardmill.speedtest.record import RESULTS, read_measurements, write_measurements
from shardmill.speedtest.summary import averages, sums_of

pytestmark = pytest.mark.spark

OPTIONS: dict[str, Any] = {
    "reader": "native",
    "batch_size": "2,5",
    "num_batches": "1,3",
    "parallel_reads": "2",
    "repetitions": 2,
    "min_seconds": 0.05,
    "engine": "spark",
    "pickle": True,
}


def test_passes_are_spread_over_the_cluster_and_made_once(spark: SparkContext, shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = speedtest(str(shards), out=str(out), **OPTIONS)
    rows = [row for row in read_measurements(out) if not row.warm_up]
    assert len({(row.cell, row.repetition) for row in rows}) == len(rows) == result.made == 8
    assert {row.concurrency for row in rows} == {spark.defaultParallelism} == {2}
    assert {row.engine for row in rows} == {"spark"}
    assert len({row.pid for row in rows}) == 2
    assert all(row.host for row in rows)
    assert result.pickle is not None
    of_cluster = pickle.loads(Path(result.pickle).read_bytes())["shards"]["native"]
    for factor, levels in averages(sums_of(rows))["shards"]["native"].items():
        assert of_cluster[factor] == pytest.approx(levels)


def test_a_run_goes_on_where_it_stopped(spark: SparkContext, shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    speedtest(str(shards), out=str(out), **OPTIONS)
    kept = read_measurements(out)[:5]
    write_measurements(out / RESULTS, kept)
    measured = sum(not row.warm_up for row in kept)
    result = speedtest(str(shards), out=str(out), **OPTIONS)
    rows = read_measurements(out)
    assert rows[:5] == kept
    assert result.made == 8 - measured
    assert len([row for row in rows if not row.warm_up]) == 8
