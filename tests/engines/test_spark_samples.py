"""What Spark's workers tell of their machine, on a real cluster."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.extras import needed

needed("pyspark")
from shardmill.clusters.base import Cluster, Job, running
from shardmill.clusters.local.folder import STATE_VARIABLE
from shardmill.clusters.local.provider import LocalProvider
from shardmill.clusters.samples import read_samples
from shardmill.sampling import HOST_VARIABLE, SAMPLES_VARIABLE
from tests.burn import BURN
from tests.spark_cluster import local_spec

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalProvider, Cluster]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_VARIABLE, str(tmp_path_factory.mktemp("state")))
        provider = LocalProvider()
        with running(provider, local_spec(workers=2, memory_mb=700), "sampled") as cluster:
            yield provider, cluster


def burn(made: tuple[LocalProvider, Cluster], folder: Path, samples: str) -> tuple[float, float]:
    """Burn a core for six seconds on one worker and a little on the other; when it began and ended."""
    app = folder / "burn.py"
    app.write_text(BURN)
    settings = {f"spark.executorEnv.{SAMPLES_VARIABLE}": samples, f"spark.executorEnv.{HOST_VARIABLE}": "machine-1"}
    said: list[str] = []
    provider, cluster = made
    outcome = provider.submit(
        cluster, Job(f"burn-{uuid.uuid4().hex[:8]}", (), app=str(app), settings=settings), said.append
    )
    assert outcome.state == "done", "".join(said)
    assert "done 2" in "".join(said)
    return outcome.started_at, outcome.finished_at


def test_two_workers_on_one_machine_make_one_series_with_what_it_used(
    made: tuple[LocalProvider, Cluster], tmp_path: Path
) -> None:
    start, end = burn(made, tmp_path, str(tmp_path / "samples"))
    samples = read_samples(str(tmp_path / "samples"), start, end, {"machine-1": "worker"})
    assert {(sample.node, sample.role, sample.source) for sample in samples} == {("machine-1", "worker", "host")}
    assert sum(sample.cpu_s for sample in samples) >= 5
    assert all(sample.cpu_s <= sample.cores * sample.seconds + 0.1 for sample in samples)
    for before, after in pairwise(samples):
        assert after.start == pytest.approx(before.start + before.seconds, abs=0.1)


def test_samples_that_cannot_be_published_fail_no_job(made: tuple[LocalProvider, Cluster], tmp_path: Path) -> None:
    (tmp_path / "samples").write_text("a file where a folder should be")
    burn(made, tmp_path, str(tmp_path / "samples"))
    provider, cluster = made
    logs = Path(str(provider._folder(cluster.name).path)).rglob("stderr")
    told = [line for log in logs for line in log.read_text().splitlines() if "what this machine uses" in line]
    assert len(told) == 1
