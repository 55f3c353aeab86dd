"""Lost workers and slow ones, on a real standalone cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.extras import needed

needed("pyspark")
from tests.spark_cluster import SparkCluster, spark_cluster

pytestmark = [pytest.mark.spark, pytest.mark.slow]

DRIVER = Path(__file__).with_name("cluster_driver.py")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SparkCluster]:
    with spark_cluster(tmp_path) as running:
        yield running


def start_driver(cluster: SparkCluster, work: str, folder: Path, **settings: str) -> subprocess.Popen[str]:
    """A driver of its own, for a process can hold one context only; it prints the results as JSON."""
    order = {
        "master": cluster.master,
        "settings": {**cluster.settings, **settings},
        "work": work,
        "folder": str(folder),
    }
    return subprocess.Popen(
        [sys.executable, DRIVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ORDER": json.dumps(order)},
    )


def answer(driver: subprocess.Popen[str]) -> tuple[list[int], str]:
    stdout, stderr = driver.communicate(timeout=150)
    assert driver.returncode == 0, stderr
    results: list[int] = json.loads(stdout)
    return results, stderr


def wait_for(path: Path, driver: subprocess.Popen[str]) -> str:
    """The content of `path` once it is there."""
    deadline = time.monotonic() + 90
    while not path.exists():
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.1)
    return path.read_text()


def test_every_result_once_though_a_worker_is_killed(cluster: SparkCluster, tmp_path: Path) -> None:
    driver = start_driver(cluster, "wait_on_first_attempt", tmp_path)
    holder = int(wait_for(tmp_path / "holder", driver))
    cluster.kill_worker(cluster.worker_running(holder))
    results, _ = answer(driver)
    assert sorted(results) == list(range(8))
    assert len((tmp_path / "attempts").read_text().split()) == 2
    assert not psutil.pid_exists(holder)
    assert cluster.workers_alive() == 1


def test_every_result_once_though_a_slow_task_is_copied(cluster: SparkCluster, tmp_path: Path) -> None:
    driver = start_driver(
        cluster,
        "wait_on_first_attempt",
        tmp_path,
        **{
            "spark.speculation.minTaskRuntime": "1s",
            "spark.speculation.multiplier": "1.1",
            "spark.speculation.quantile": "0.5",
        },
    )
    results, _ = answer(driver)
    assert sorted(results) == list(range(8))
    assert len((tmp_path / "attempts").read_text().split()) == 2


def test_a_cluster_without_room_is_said_so(cluster: SparkCluster, tmp_path: Path) -> None:
    settings = {"spark.executor.memory": "900g", "spark.scheduler.maxRegisteredResourcesWaitingTime": "1s"}
    driver = start_driver(cluster, "wait_on_first_attempt", tmp_path, **settings)
    assert driver.stderr is not None
    assert "has taken a task for 2 s" in driver.stderr.readline()
    driver.terminate()
    driver.communicate(timeout=30)
