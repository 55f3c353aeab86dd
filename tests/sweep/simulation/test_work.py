"""Images are dealt out to tasks as Spark does it."""

from __future__ import annotations

from typing import Final

import pytest

from shardmill.sweep.simulation.work import Load, loads
from tests.extras import needed

needed("pyspark")
from pyspark import SparkContext

from shardmill.engines.spark import SparkEngine


def test_shards_are_grouped() -> None:
    assert loads(1003, 4, 2) == [Load(502, 2), Load(501, 2)]  # shards of 251, 251, 251 and 250
    assert loads(100, 3, 2) == [Load(34, 1), Load(66, 2)]
    assert [load.shards for load in loads(100, 10, 4)] == [2, 3, 2, 3]


def test_no_more_tasks_than_shards() -> None:
    assert len(loads(100, 4, 16)) == 4
    assert len(loads(100, 4, None)) == 4
    assert len(loads(10_000_000, 5000, None)) == 4096


def test_jobs_without_shards_deal_out_images() -> None:
    assert loads(8, None, 4) == [Load(2, 0)] * 4


_CUTS: Final = [(16, 1), (16, 4), (16, 5), (10, 4), (47, 16), (3, 2), (7, 7), (5000, 4), (5000, 3)]


@pytest.mark.spark
@pytest.mark.parametrize(("items", "tasks"), _CUTS)
def test_the_same_cuts_as_spark(spark: SparkContext, items: int, tasks: int) -> None:
    cut = spark.parallelize(list(range(items)), tasks).glom().map(len).collect()
    assert [load.images for load in loads(items, None, tasks)] == cut


@pytest.mark.spark
@pytest.mark.parametrize(("items", "tasks"), _CUTS[:-2])
def test_the_same_cuts_as_the_engine(spark: SparkContext, items: int, tasks: int) -> None:
    _, cut = SparkEngine(partitions=tasks).run_cached(abs, range(items), lambda rdd: rdd.glom().map(len).collect())
    assert [load.shards for load in loads(items, items, tasks)] == cut
    assert max(cut) - min(cut) <= 1
