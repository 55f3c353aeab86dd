from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from shardmill.clusters.base import Cluster, ClusterProvider, ClusterSpec, running
from tests.clusters.conformance import ProviderConformance
from tests.clusters.dataproc.shapes import dataproc_spec
from tests.dataproc_server import DataprocServer
from tests.pictures import class_folder
from tests.stores import upload


@pytest.fixture(scope="module")
def spec() -> ClusterSpec:
    return dataproc_spec()


@pytest.fixture(scope="module")
def cluster(provider: ClusterProvider, spec: ClusterSpec) -> Iterator[Cluster]:
    with running(provider, spec, "shared") as cluster:
        yield cluster


@pytest.mark.spark
@pytest.mark.slow
class TestDataprocProvider(ProviderConformance):
    @pytest.fixture
    def images(self, server: DataprocServer, tmp_path: Path) -> str:
        class_folder(tmp_path / "images", 6)
        return upload(server.service.store, tmp_path / "images", server.service.bucket, f"images-{uuid.uuid4().hex}")

    @pytest.fixture
    def dest(self, server: DataprocServer) -> str:
        return f"gs://{server.service.bucket}/shards-{uuid.uuid4().hex}"
