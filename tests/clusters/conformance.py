"""What every cluster provider must do, on a real cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardmill.clusters.base import Cluster, ClusterProvider, ClusterSpec, Job
from shardmill.errors import UsageError
from tests.pictures import class_folder

HELLO = """\
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print("sum", spark.sparkContext.parallelize(range(10), 4).sum())
"""


class ProviderConformance:
    """Subclass it and give `provider`, `spec` and `cluster` (running, made by `provider` from `spec`) fixtures."""

    def test_running_cluster_is_described(self, provider: ClusterProvider, cluster: Cluster, spec: ClusterSpec) -> None:
        assert cluster == provider.get(cluster.name)
        assert cluster.state == "ready"
        assert cluster.spec == spec
        assert cluster.ready_at is not None
        assert cluster.created_at <= cluster.ready_at <= cluster.expires_at
        assert sorted(cluster.nodes.values()) == ["master"] + ["worker"] * spec.workers

    def test_is_found(self, provider: ClusterProvider, cluster: Cluster) -> None:
        assert cluster.name in [found.name for found in provider.find()]

    def test_creating_it_again_makes_no_second(
        self, provider: ClusterProvider, cluster: Cluster, spec: ClusterSpec
    ) -> None:
        before = len(provider.find())
        provider.create(spec, cluster.name)
        assert len(provider.find()) == before

    def test_command_brings_its_result_home(
        self, provider: ClusterProvider, cluster: Cluster, images: str, dest: str
    ) -> None:
        said: list[str] = []
        words = ("prepare", images, dest, "--engine", "spark", "--num-shards", "2", "--partitions", "2")
        outcome = provider.submit(cluster, Job("prepare-1", words), said.append)
        assert outcome.state == "done", "".join(said)
        assert outcome.exit_code in (0, None)
        assert outcome.result is not None
        assert outcome.result["written"] == 6
        assert 0 < outcome.elapsed_s < 300
        assert outcome.event_log is not None
        used = provider.usage(cluster, outcome.started_at, outcome.finished_at)
        assert {sample.node for sample in used} <= set(cluster.nodes)
        assert provider.submit(cluster, Job("prepare-1", words), said.append) == outcome  # the same job, not run twice

    def test_failing_command_says_why(self, provider: ClusterProvider, cluster: Cluster, dest: str) -> None:
        said: list[str] = []
        outcome = provider.submit(cluster, Job("fails", ("verify", f"{dest}-nothing-here")), said.append)
        assert outcome.state == "failed"
        assert outcome.exit_code == 2
        assert outcome.result is None
        assert "nothing-here" in outcome.error
        assert "nothing-here" in "".join(said)

    def test_plain_application(self, provider: ClusterProvider, cluster: Cluster, tmp_path: Path) -> None:
        app = tmp_path / "hello.py"
        app.write_text(HELLO)
        said: list[str] = []
        outcome = provider.submit(cluster, Job("hello", (), app=str(app)), said.append)
        assert outcome.state == "done", "".join(said)
        assert "sum 45" in "".join(said)
        assert outcome.result is None

    def test_job_out_of_time_is_cancelled(self, provider: ClusterProvider, cluster: Cluster, tmp_path: Path) -> None:
        app = tmp_path / "sleep.py"
        app.write_text("import time\nprint('asleep', flush=True)\ntime.sleep(600)\n")
        outcome = provider.submit(cluster, Job("sleep", (), app=str(app), timeout_s=8), lambda text: None)
        assert outcome.state == "cancelled"
        assert outcome.elapsed_s < 60

    def test_unknown_name(self, provider: ClusterProvider) -> None:
        with pytest.raises(UsageError, match="no-such-cluster"):
            provider.get("no-such-cluster")
        provider.delete("no-such-cluster")  # nothing to delete

    @pytest.fixture
    def images(self, tmp_path: Path) -> str:
        class_folder(tmp_path / "images", 6)
        return str(tmp_path / "images")

    @pytest.fixture
    def dest(self, tmp_path: Path) -> str:
        return str(tmp_path / "shards")
