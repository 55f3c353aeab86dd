"""Fixtures that every part of the tests shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark import SparkContext


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # RDD.collect leaves the socket it read from to the garbage collector.
    unclosed = pytest.mark.filterwarnings("ignore:unclosed <socket.socket .*127.0.0.1:ResourceWarning")
    for item in items:
        if item.get_closest_marker("spark"):
            item.add_marker(unclosed)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkContext]:
    """One running local[2], of which `SparkEngine()` makes use; a process can have one only."""
    from shardmill.engines.spark_session import own_context

    with own_context("local[2]", {}) as context:
        yield context
