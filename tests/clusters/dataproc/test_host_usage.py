from __future__ import annotations

import json
import time
import uuid
from dataclasses import asdict
from pathlib import Path

import pytest

from shardmill.clusters.base import Cluster, Job, UsageSample, running
from shardmill.clusters.dataproc.config import CloudConfig
from shardmill.clusters.dataproc.host_usage import jobs_folder, usage_by_hosts
from shardmill.sampling import HostSample
from shardmill.storage.open import open_store
from tests.burn import BURN
from tests.clusters.dataproc.shapes import dataproc_spec
from tests.dataproc_server import DataprocServer
from tests.extras import needed

needed("google.cloud.dataproc_v1")

from shardmill.clusters.dataproc.provider import DataprocProvider

MONITORED = UsageSample("c-w-0", "worker", 60.0, 60.0, 2.0, 30.0, None, None, None, None, None, "monitoring")


@pytest.fixture
def config(server: DataprocServer) -> CloudConfig:
    return CloudConfig("p", "europe-west4", server.service.bucket)


@pytest.fixture
def cluster() -> Cluster:
    facts = {"uuid": uuid.uuid4().hex}
    nodes = {"c-m": "master", "c-w-0": "worker"}
    return Cluster("c", "dataproc", dataproc_spec(), "ending", 0.0, 1.0, 9.0, nodes, facts=facts)  # type: ignore[arg-type]


def put_samples(config: CloudConfig, cluster: Cluster) -> None:
    sample = HostSample("c-w-0.internal", 100.0, 1.0, 2, 1.5, 1, 2, 3, 4, 5)
    with open_store(jobs_folder(config, cluster)).publish("job/samples/c-w-0.internal/100000-101000-7.jsonl") as file:
        file.write(json.dumps(asdict(sample)).encode())


@pytest.mark.parametrize(
    ("seconds", "published", "monitored", "sources"),
    [
        (299, True, [MONITORED], ["host"]),
        (299, False, [MONITORED], ["monitoring"]),
        (301, True, [MONITORED], ["monitoring"]),
        (301, True, [], ["host"]),
        (301, False, [], []),
    ],
)
def test_machines_own_samples_stand_in_for_monitoring(
    config: CloudConfig,
    cluster: Cluster,
    seconds: float,
    published: bool,
    monitored: list[UsageSample],
    sources: list[str],
) -> None:
    if published:
        put_samples(config, cluster)
    found = usage_by_hosts(cluster, config, 50.0, 50.0 + seconds, lambda: monitored)
    assert [sample.source for sample in found] == sources
    assert {sample.node for sample in found} <= {"c-w-0"}


@pytest.mark.spark
@pytest.mark.slow
def test_short_run_tells_what_its_machines_used(
    server: DataprocServer, provider: DataprocProvider, tmp_path: Path
) -> None:
    app = tmp_path / "burn.py"
    app.write_text(BURN)
    with running(provider, dataproc_spec(), f"brief-{uuid.uuid4().hex[:8]}") as cluster:
        start = time.time()  # of this machine, which samples; the server's clock may be ahead
        outcome = provider.submit(cluster, Job("burn", (), app=str(app)), lambda text: None)
        end = time.time()
        assert outcome.state == "done", outcome.error
    samples = provider.usage(cluster, start, end)
    assert {(sample.node, sample.source) for sample in samples} == {(f"{cluster.name}-w-0", "host")}
    assert sum(sample.cpu_s for sample in samples) >= 2  # of 6.5: the first and the last stretch may be missing
