from __future__ import annotations

import time
from pathlib import Path

import pytest

from shardmill import registry
from shardmill.clusters.base import Cluster
from shardmill.errors import ClusterError, UsageError
from shardmill.operations.cluster.lifecycle import cluster_down, cluster_list, cluster_up, read_shape
from shardmill.operations.cluster.metrics import cluster_metrics
from shardmill.registry import Plugin
from tests.clusters.imagined import ImaginedCloud

FILE = """\
shapes:
  - {name: one, provider: local, workers: 1, cores: 2, memory: 1GB, usd_per_hour: 0.36}
  - {name: two, provider: local, workers: 2, cores: 1, memory: 1GB}
"""
_SKY: dict[str, ImaginedCloud] = {}


def provider() -> ImaginedCloud:
    return _SKY["local"]


def refusing() -> ImaginedCloud:
    raise UsageError("no project is configured")


@pytest.fixture
def sky(monkeypatch: pytest.MonkeyPatch) -> ImaginedCloud:
    cloud = _SKY["local"] = ImaginedCloud(lambda spec: 10.0)
    cloud.now = time.time() - 600
    table = {"local": Plugin(f"{__name__}:provider"), "dataproc": Plugin(f"{__name__}:refusing")}
    for module in (registry.__name__, "shardmill.clusters.open", "shardmill.operations.cluster.find"):
        monkeypatch.setattr(f"{module}.PROVIDERS", table)
    return cloud


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "shapes.yaml"
    path.write_text(FILE)
    return str(path)


def test_up_list_down(sky: ImaginedCloud, file: str) -> None:
    made = cluster_up(file, shape="one", name="mine")
    assert (made.name, made.state, made.cores, made.usd_per_hour) == ("mine", "ready", 2, 0.36)
    cluster_up(file, shape="two", name="other")
    listed = cluster_list()
    assert [(one.name, one.usd_per_hour) for one in listed.clusters] == [("mine", 0.36), ("other", None)]
    assert listed.unanswered == ()  # who has no account there has no clusters there
    assert cluster_down("mine", "never-there").deleted == ("mine",)
    assert cluster_down(all=True).deleted == ("other",)
    assert sky.clusters == {}


def test_a_provider_that_does_not_answer_is_told_and_the_others_listed(
    sky: ImaginedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> list[Cluster]:
        raise ClusterError("the network is gone")

    monkeypatch.setattr(sky, "find", fail)
    assert cluster_list().unanswered == ("local: the network is gone",)


def test_what_could_not_be_made_is_deleted(sky: ImaginedCloud, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str, timeout_s: float = 900.0) -> Cluster:
        raise KeyboardInterrupt

    monkeypatch.setattr(sky, "wait_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cluster_up(file, shape="one", name="mine")
    assert sky.clusters == {}


def test_wrong_requests(sky: ImaginedCloud, file: str) -> None:
    cluster_up(file, shape="one", name="mine")
    for call, said in (
        (lambda: cluster_up(file), "name one with --shape: one, two"),
        (lambda: cluster_up(file, shape="three"), "it has: one, two"),
        (lambda: cluster_up(file, shape="one", name="Mine"), "a letter first"),
        (lambda: cluster_up(file, shape="one", name="mine"), "is there already"),
        (lambda: cluster_up("no-such-preset"), "no-such-preset"),
        (lambda: cluster_down(), "or give --all"),
        (lambda: cluster_down("mine", all=True), "or give --all"),
        (lambda: cluster_list(provider="dataproc"), "no project is configured"),
        (lambda: cluster_metrics("other"), "there are: mine"),
        (lambda: cluster_metrics("mine", minutes=0), "above 0"),
    ):
        with pytest.raises(UsageError, match=said):
            call()


def test_metrics_are_averages_of_each_machine(sky: ImaginedCloud, file: str) -> None:
    made = cluster_up(file, shape="two", name="mine")
    metrics = cluster_metrics(made.name)
    assert [node.node for node in metrics.nodes] == ["mine-w-0", "mine-w-1"]
    assert metrics.source == "process"
    for node in metrics.nodes:
        assert node.cpu_share == pytest.approx(0.5)
        assert node.network_in_bytes_per_s == pytest.approx(1e5)
        assert node.memory_bytes == pytest.approx(5e8)


def test_a_file_without_shapes(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("job: doctor\n")
    with pytest.raises(UsageError, match="lacks 'shapes'"):
        read_shape(str(tmp_path / "x.yaml"), None)
