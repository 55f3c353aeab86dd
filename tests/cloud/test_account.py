"""The whole path on a real account: `SHARDMILL_CLOUD_TESTS=1 ./run test -m cloud tests/cloud`.

It takes what `shardmill cluster init` configured, makes one cluster of the smallest legal shape, runs a job on it, reads its
use from Cloud Monitoring, and deletes it. It stops before it begins where the most it can cost, its greatest age times its
price, is above `SHARDMILL_CLOUD_TESTS_USD` (default 0.50); Google itself ends the cluster at that age.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from shardmill.clusters.base import ClusterSpec, Job, NodeSpec, running
from shardmill.clusters.cost import usd_per_hour
from shardmill.clusters.prices import price_table
from shardmill.storage.base import Store
from shardmill.storage.open import open_store
from tests.extras import needed
from tests.pictures import class_folder

needed("google.cloud.dataproc_v1")

from shardmill.clusters.dataproc.config import read_config
from shardmill.clusters.dataproc.host_usage import BRIEF_S
from shardmill.clusters.dataproc.provider import DataprocProvider

NODE = NodeSpec("n1-standard-2", 2, 8053, "pd-standard", 50)
SPEC = ClusterSpec("smallest", "dataproc", NODE, 2, NODE, idle_delete_s=600, max_age_s=2400)

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        os.environ.get("SHARDMILL_CLOUD_TESTS") != "1", reason="costs money: set SHARDMILL_CLOUD_TESTS=1"
    ),
]


@pytest.fixture
def work() -> Iterator[tuple[str, Store]]:
    """A folder in the configured bucket, emptied at the end."""
    url = f"{read_config().root}/tests/{uuid.uuid4().hex}"
    store = open_store(url)
    yield url, store
    for entry in list(store.list()):
        store.remove(entry.path)


def test_up_submit_metrics_down(work: tuple[str, Store], tmp_path: Path) -> None:
    most_usd = float(os.environ.get("SHARDMILL_CLOUD_TESTS_USD", "0.50"))
    price = usd_per_hour(SPEC, price_table(None))
    assert price is not None
    assert price * SPEC.max_age_s / 3600 <= most_usd, f"it may cost more than {most_usd} USD"
    url, store = work
    class_folder(tmp_path / "images", 60)
    for path in sorted((tmp_path / "images").rglob("*.jpg")):
        with store.publish(f"images/{path.relative_to(tmp_path / 'images').as_posix()}") as file:
            file.write(path.read_bytes())
    provider, name = DataprocProvider(), f"sm-test-{uuid.uuid4().hex[:8]}"
    assert provider.objections(SPEC) == []
    said: list[str] = []
    with running(provider, SPEC, name, timeout_s=1200) as cluster:
        assert sorted(cluster.nodes.values()) == ["master", "worker", "worker"]
        assert name in [found.name for found in provider.find()]
        words = ("prepare", f"{url}/images", f"{url}/shards", "--engine", "spark", "--num-shards", "4", "--size", "64")
        outcome = provider.submit(cluster, Job(f"prepare-{uuid.uuid4().hex[:8]}", words), said.append)
        assert outcome.state == "done", outcome.error
        assert outcome.result is not None
        assert outcome.result["written"] == 60
        assert outcome.event_log is not None
        until = max(time.time(), cluster.created_at + 60 + BRIEF_S)  # long enough for Cloud Monitoring to be asked
        time.sleep(max(0.0, until - time.time()))
    assert name not in [found.name for found in provider.find()]
    samples = provider.usage(cluster, cluster.created_at, until)
    assert {(sample.node, sample.source) for sample in samples} == {(node, "monitoring") for node in cluster.nodes}
    assert all(0 <= sample.cpu_s <= 2 * 60 * 1.05 for sample in samples)
    assert sum(sample.network_in_bytes or 0 for sample in samples) > 0
