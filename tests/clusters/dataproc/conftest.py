"""The simulated service, reached as a user would reach it: by variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from shardmill.clusters.dataproc.provider import DataprocProvider
    from tests.dataproc_server import DataprocServer


@pytest.fixture(scope="module")
def server(dataproc: DataprocServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataprocServer]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in dataproc.environment.items():
            patch.setenv(name, value)
        patch.setenv("SHARDMILL_CLOUD_CONFIG", str(tmp_path_factory.mktemp("config") / "cloud.json"))
        yield dataproc


@pytest.fixture(autouse=True)
def no_faults(dataproc: DataprocServer) -> Iterator[None]:
    yield
    dataproc.faults.clear()


@pytest.fixture(scope="module")
def provider(server: DataprocServer) -> DataprocProvider:
    from shardmill.clusters.dataproc.provider import DataprocProvider

    return DataprocProvider(patience_s=4.0)
