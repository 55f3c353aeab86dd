"""Images are dealt out to tasks as Spark does it."""

from __future__ import annotations

import pytest

from shardmill.sweep.simulation.work import Load, loads
from tests.extras import needed

needed("pyspark")
from pyspark import SparkContext


def test_shards_are_grouped() -> None:
    assert loads(1003, 4, 2) == [Load(502, 2), Load(501, 2)]  # shards of 251, 251, 251 and 250
    assert loads(100, 3, 2) == [Load(34, 1), Load(66, 2)]


def test_no_more_tasks_than_shards() -> None:
    assert len(loads(100, 4, 16)) == 4
    assert len(loads(100, 4, None)) == 4
    assert len(loads(10_000_000, 5000, None)) == 4096


def test_jobs_without_shards_deal_out_images() -> None:
    assert loads(8, None, 4) == [Load(2, 0)] * 4


@pytest.mark.spark
@pytest.mark.parametrize(
    ("items", "tasks"), [(16, 1), (16, 4), (16, 5), (10, 4), (47, 16), (3, 2), (7, 7), (5000, 4), (5000, 3)]
)
def test_the_same_cuts_as_spark(spark: SparkContext, items: int, tasks: int) -> None:
    cut = spark.parallelize(list(range(items)), tasks).glom().map(len).collect()
    assert [load.shards for load in loads(items, items, tasks)] == cut
    assert [load.images for load in loads(items, None, tasks)] == cut
