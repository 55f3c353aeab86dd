from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest

from shardmill.clusters.base import UsageComesLate, running
from shardmill.errors import UsageError
from shardmill.operations.cluster.metrics import cluster_metrics
from tests.clusters.dataproc.shapes import dataproc_spec
from tests.extras import needed

needed("google.cloud.dataproc_v1")

from shardmill.clusters.dataproc.provider import DataprocProvider
from shardmill.clusters.dataproc.usage import whole_minutes
from tests.dataproc_server import DataprocServer
from tests.dataproc_server.monitoring import IDLE_CORES


@pytest.fixture
def patient(server: DataprocServer) -> DataprocProvider:
    """Waits by putting the server's clock forward."""
    return DataprocProvider(now=server.clock.now, sleep=server.clock.advance)


def test_whole_minutes() -> None:
    assert whole_minutes(60.0, 180.0) == (60.0, 180.0)
    assert whole_minutes(61.0, 239.0) == (120.0, 180.0)
    assert whole_minutes(61.0, 179.0) is None


def test_idle_machines_after_deletion_without_partial_minutes(
    server: DataprocServer, patient: DataprocProvider
) -> None:
    name = f"idle-{uuid.uuid4().hex[:8]}"
    with running(patient, dataproc_spec(workers=3), name) as cluster:
        server.clock.advance(300)
        until = server.clock.now()
    asked_at = server.clock.now()
    samples = patient.usage(cluster, cluster.created_at, until)
    assert server.clock.now() - asked_at >= 180  # it waited for what comes late
    first, last = whole_minutes(cluster.created_at, until) or (0.0, 0.0)
    minutes = [first + 60 * number for number in range(int(last - first) // 60)]
    assert len(minutes) >= 4
    assert sorted((sample.node, sample.start) for sample in samples) == sorted(
        (node, minute) for node in cluster.nodes for minute in minutes
    )
    for sample in samples:
        assert (sample.role, sample.seconds, sample.cores) == (cluster.nodes[sample.node], 60.0, 2.0)
        assert sample.cpu_s == pytest.approx(60 * IDLE_CORES)
        assert (sample.network_in_bytes, sample.memory_bytes, sample.source) == (0.0, None, "monitoring")


def test_stretch_without_a_whole_minute_has_no_samples_and_is_not_waited_for(
    server: DataprocServer, patient: DataprocProvider
) -> None:
    with running(patient, dataproc_spec(), f"short-{uuid.uuid4().hex[:8]}") as cluster:
        asked_at = server.clock.now()
        minute = asked_at // 60 * 60
        assert patient.usage(cluster, minute + 1, minute + 119) == []
        assert server.clock.now() - asked_at < 30


def test_metrics_ask_for_what_is_there_already(
    server: DataprocServer, patient: DataprocProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(patient, dataproc_spec(), f"asked-{uuid.uuid4().hex[:8]}") as cluster:
        server.clock.advance(600)
        monkeypatch.setattr("shardmill.operations.cluster.metrics.find_cluster", lambda *_: (patient, cluster))
        monkeypatch.setattr("shardmill.operations.cluster.metrics.time", SimpleNamespace(time=server.clock.now))
        asked_at = server.clock.now()
        metrics = cluster_metrics(cluster.name)
        assert server.clock.now() - asked_at < 60
    assert [node.node for node in metrics.nodes] == sorted(cluster.nodes)
    assert metrics.source == "monitoring"
    assert all(node.cpu_share == pytest.approx(IDLE_CORES / 2) for node in metrics.nodes)


def test_provider_says_how_late_its_samples_come(patient: DataprocProvider) -> None:
    assert isinstance(patient, UsageComesLate)
    assert patient.usage_delay_s >= 240


def test_missing_permission(server: DataprocServer, patient: DataprocProvider) -> None:
    from shardmill.clusters.dataproc.config import CloudConfig

    other = DataprocProvider(
        CloudConfig("another-project", server.service.region, server.service.bucket), sleep=server.clock.advance
    )
    with running(patient, dataproc_spec(), f"denied-{uuid.uuid4().hex[:8]}") as cluster:
        at = cluster.created_at
    with pytest.raises(UsageError, match="cannot read Cloud Monitoring: permission is missing"):
        other.usage(cluster, at - 600, at)
