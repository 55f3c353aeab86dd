"""Promise 2 on a real Spark cluster that loses a worker, or runs a task twice at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shardmill.operations.prepare.run import prepare
from tests.outputs import contents, manifest
from tests.pictures import class_folder, jpeg
from tests.spark_cluster import SparkCluster, spark_cluster

pytestmark = [pytest.mark.spark, pytest.mark.slow]

SHARDS = 8
FLAGS = ["--size", "64", "--num-shards", str(SHARDS), "--max-errors", "10%"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough work that a shard takes seconds: large images, each under many names."""
    folder = class_folder(tmp_path_factory.mktemp("source"), 30, odd=True)
    (folder / "ash/large.jpg").write_bytes(jpeg(1, 1600, 1200, quality=95))
    for number in range(700):
        os.link(folder / "ash/large.jpg", folder / f"ash/large-{number:03d}.jpg")
    return folder


@pytest.fixture(scope="module")
def calm(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    dest = tmp_path_factory.mktemp("calm")
    prepare(str(source), str(dest), size="64", num_shards=str(SHARDS), max_errors="10%")
    return contents(dest)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SparkCluster]:
    (tmp_path / "cluster").mkdir()
    with spark_cluster(tmp_path / "cluster") as running:
        yield running


def start(source: Path, dest: Path, cluster: SparkCluster, **settings: str) -> subprocess.Popen[str]:
    """The command as a user of that cluster runs it, settings in Spark's own file."""
    conf = dest.parent / "conf"
    conf.mkdir()
    lines = [f"{name} {value}" for name, value in {**cluster.settings, **settings}.items()]
    (conf / "spark-defaults.conf").write_text("\n".join(lines))
    command = [sys.executable, "-m", "shardmill", "prepare", str(source), str(dest), *FLAGS]
    return subprocess.Popen(
        [*command, "--engine", "spark", "--master", cluster.master],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "SPARK_CONF_DIR": str(conf)},
    )


def holder_of_a_task(driver: subprocess.Popen[str], dest: Path) -> psutil.Process:
    """A process that makes a shard right now, once the first shard is published."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and driver.poll() is None:
        writing = list(dest.glob("_tmp/*"))
        if list(dest.glob("_samples/part-*")) and writing:
            for process in psutil.process_iter(["cmdline"]):
                if "isolation" in " ".join(process.info["cmdline"] or []):
                    opened = {file.path for file in process.open_files()}
                    if opened & {str(path) for path in writing}:
                        return process
        time.sleep(0.02)
    raise AssertionError(f"nobody was seen making a shard: {driver.communicate(timeout=30)[0]}")


def test_a_worker_is_killed_while_it_holds_a_task(
    source: Path, calm: dict[str, str], cluster: SparkCluster, tmp_path: Path
) -> None:
    dest = tmp_path / "out"
    driver = start(source, dest, cluster)
    holder = holder_of_a_task(driver, dest)
    cluster.kill_worker(cluster.worker_running(holder.pid))
    output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 0, output
    assert cluster.workers_alive() == 1
    assert not holder.is_running()
    assert contents(dest) == calm
    assert manifest(dest)["run"]["master"] == cluster.master


def test_a_stuck_task_is_run_twice(source: Path, calm: dict[str, str], cluster: SparkCluster, tmp_path: Path) -> None:
    dest = tmp_path / "out"
    eager = {"minTaskRuntime": "1s", "multiplier": "1.1", "quantile": "0.3", "interval": "200ms"}
    driver = start(source, dest, cluster, **{f"spark.speculation.{name}": value for name, value in eager.items()})
    stuck = holder_of_a_task(driver, dest)
    stuck.send_signal(signal.SIGSTOP)
    half_written = {file.path for file in stuck.open_files()} & {str(path) for path in dest.glob("_tmp/*")}
    assert half_written, "it had published before it could be stopped"
    output, _ = driver.communicate(timeout=240)  # nobody lets it go on: its shard can only come from another attempt
    assert driver.returncode == 0, output
    assert contents(dest) == calm
    stuck.wait(timeout=20)
