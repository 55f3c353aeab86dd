"""Fixtures that every part of the tests shares."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import chromium, not_run
from tests.stores import StoreServer, gcs_server, s3_server

if TYPE_CHECKING:
    from pyspark import SparkContext

    from tests.dataproc_server import DataprocServer


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


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, for the tests that look at a page in it; `./run test` goes without where none is installed, and says so."""
    with chromium() as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not_run:
        terminalreporter.write_line(f"BROWSER TESTS WERE NOT RUN: {not_run[0]}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def gcs() -> Iterator[StoreServer]:
    """A server that speaks `gs://`; each test makes a bucket of its own in it."""
    with gcs_server() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[StoreServer]:
    """A server that speaks `s3://`."""
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def dataproc(gcs: StoreServer) -> Iterator[DataprocServer]:
    """A server that speaks Dataproc's protocol, with a bucket in `gcs` in which the wheels for its machines lie already."""
    from tests.dataproc_server import dataproc_server

    bucket = f"cloud-{uuid.uuid4().hex[:12]}"
    gcs.make_bucket(bucket)
    with dataproc_server(gcs, bucket) as server:
        server.pretend_wheelhouse()
        yield server


@pytest.fixture(params=["gcs", "s3"])
def store_server(request: pytest.FixtureRequest) -> StoreServer:
    """Each of the two, one after the other."""
    server: StoreServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def bucket(store_server: StoreServer) -> str:
    """The name of a new, empty bucket on `store_server`."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    store_server.make_bucket(name)
    return name
