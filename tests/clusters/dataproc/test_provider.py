from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from shardmill.clusters.base import Cluster, ClusterProvider, ClusterSpec, Job, running
from tests.clusters.conformance import ProviderConformance
from tests.clusters.dataproc.shapes import dataproc_spec
from tests.extras import needed
from tests.pictures import class_folder
from tests.stores import upload

needed("google.cloud.dataproc_v1")

from shardmill.clusters.dataproc.host_usage import BRIEF_S
from shardmill.clusters.dataproc.provider import DataprocProvider
from tests.dataproc_server import DataprocServer

BUSY = """\
import time
from pyspark import SparkContext
def burn(_):
    ends = time.process_time() + 1.5
    while time.process_time() < ends:
        pass
SparkContext().parallelize(range(2), 2).foreach(burn)
"""


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

    def test_interrupt_cancels_the_job(
        self, server: DataprocServer, provider: ClusterProvider, cluster: Cluster, tmp_path: Path
    ) -> None:
        app = tmp_path / "app.py"
        app.write_text("import time\nprint('begun', flush=True)\ntime.sleep(300)\n")

        def interrupt(text: str) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            provider.submit(cluster, Job("interrupted", (), app=str(app)), interrupt)
        job = next(job for number, job in server.service.jobs.items() if number.startswith("interrupted-"))
        job.join(30)
        assert job.state.name == "CANCELLED"

    def test_network_lost_while_a_job_runs(
        self, server: DataprocServer, provider: ClusterProvider, cluster: Cluster, tmp_path: Path
    ) -> None:
        app = tmp_path / "app.py"
        app.write_text("import time\nprint('begun', flush=True)\ntime.sleep(3)\nprint('ended')\n")
        said: list[str] = []

        def lose(text: str) -> None:
            said.append(text)
            if "begun" in text:
                server.faults.go_offline(1.5)

        outcome = provider.submit(cluster, Job("patient", (), app=str(app)), lose)
        assert outcome.state == "done"
        assert "".join(said).split() == ["begun", "ended"]

    def test_busy_machines_are_seen_busy(self, server: DataprocServer, cluster: Cluster, tmp_path: Path) -> None:
        patient = DataprocProvider(now=server.clock.now, sleep=server.clock.advance)
        app = tmp_path / "burn.py"
        app.write_text(BUSY)
        outcome = patient.submit(cluster, Job("burn", (), app=str(app)), lambda text: None)
        assert outcome.state == "done", outcome.error
        server.clock.advance(BRIEF_S)  # too long a stretch for the tasks' own samples
        samples = patient.usage(cluster, cluster.created_at - 60, outcome.finished_at + BRIEF_S)
        assert {sample.source for sample in samples} == {"monitoring"}
        machines = server.service.usage_of(server.service.clusters[cluster.name])
        assert machines is not None
        measured = sum(sample.cpu_s for sample in machines.usage() if sample.role == "worker")
        told = sum(sample.cpu_s for sample in samples if sample.role == "worker")
        assert measured >= 3  # two tasks of 1.5 s
        assert told == pytest.approx(measured, abs=2 * len(samples))  # beside what idle machines take
