"""The machines behind a simulated cluster: a real Spark standalone cluster on loopback, much smaller than it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import psutil
import pyspark

from shardmill.clusters.base import ClusterSpec, NodeSpec, UsageSample
from shardmill.clusters.local.folder import ClusterFolder, read_properties, write_json, write_properties
from shardmill.clusters.local.leash import end_tree
from shardmill.java import find_java
from shardmill.sampling import HOST_VARIABLE

MOST_WORKERS: Final = 2
"""Two workers of one core stand for any number of machines."""

_READY_TIMEOUT_S: Final = 120.0
_OURS: Final = ("spark.executor.", "spark.dynamicAllocation.", "spark.yarn.", "spark.pyspark.", "spark.eventLog.dir")
"""Settings that say how large the real machines are and where their Python is."""


class Machines:
    """Started for a cluster's first job; `stop` ends every process."""

    def __init__(self, path: Path, name: str, workers: int, environment: Mapping[str, str]) -> None:
        self.folder = ClusterFolder(path)
        # All of them are this one machine, which must be called what one of the cluster's is.
        self.environment = {**os.environ, **environment, HOST_VARIABLE: f"{name}-w-0" if workers else f"{name}-m"}
        self.folder.jobs.mkdir(parents=True)
        node = NodeSpec("local", 1, 700)
        spec = ClusterSpec(
            name, "local", node, max(1, min(workers, MOST_WORKERS)), node, idle_delete_s=86400, max_age_s=86400
        )
        order = {
            "name": name,
            "spec": asdict(spec),
            "created_at": time.time(),
            "parent": None,
            "pinned": None,
            "spark_home": str(Path(pyspark.__file__).parent),
            "java_home": str(find_java(pyspark.__version__).home),
        }
        write_json(self.folder.order, order)
        # The pipe of a leash, so that nothing outlives the tests.
        command = ["-m", "shardmill.clusters.local.leash", sys.executable, "-m", "shardmill.clusters.local.supervisor"]
        with self.folder.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command, str(path)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
            )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while (phase := self.folder.read_state().get("phase", "starting")) != "ready":
            assert phase == "starting", self.folder.read_state()
            assert self._process.poll() is None, self.folder.log.read_text()
            assert time.monotonic() < deadline, "the machines did not come up"
            time.sleep(0.1)

    def start_driver(
        self, path: Path, script: Path, arguments: list[str], py_files: list[str], properties: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """spark-submit in client mode, as Dataproc's agent does on the master; its output goes to `path/output`."""
        (path / "events").mkdir(parents=True)
        asked = {key: value for key, value in properties.items() if not key.startswith(_OURS)}
        settings = asked | read_properties(self.folder.settings)
        settings["spark.eventLog.dir"] = (path / "events").as_uri()
        write_properties(path / "application.conf", settings)
        submit = [str(Path(pyspark.__file__).parent / "bin" / "spark-submit")]
        submit += ["--master", self.folder.read_state()["master"], "--properties-file", str(path / "application.conf")]
        if py_files:
            submit += ["--py-files", ",".join(py_files)]
        environment = self.environment | {
            "JAVA_HOME": str(find_java(pyspark.__version__).home),
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "SPARK_HOME": str(Path(pyspark.__file__).parent),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYTHONUNBUFFERED": "1",
        }
        with (path / "output").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "shardmill.clusters.local.leash", *submit, str(script), *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    def usage(self) -> list[UsageSample]:
        """What the processes have really used, a sample a node and second."""
        if not self.folder.usage.exists():
            return []
        with self.folder.usage.open() as lines:
            return [UsageSample(**json.loads(line)) for line in lines if line.endswith("\n")]

    def stop(self) -> None:
        if self._process.poll() is None:
            end_tree([psutil.Process(self._process.pid)])
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def end_driver(process: subprocess.Popen[bytes]) -> None:
    """Let go of the leash, and wait until all of it has ended."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    process.wait(30)
