"""A real Spark standalone cluster on loopback: one master and some workers, each a process of its own."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import pyspark

from shardmill.java import find_java

_READY_TIMEOUT_S: Final = 90.0
_STOP_TIMEOUT_S: Final = 10.0
_MASTER_URL: Final = re.compile(r"Starting Spark master at (spark://\S+)")
_WEB_URL: Final = re.compile(r"Bound MasterWebUI to \S+ and started at (http://\S+)")
_LIGHT_JVM: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@dataclass(frozen=True, slots=True)
class SparkCluster:
    """A running cluster."""

    master: str
    """`spark://127.0.0.1:PORT`."""
    web_url: str
    workers: tuple[subprocess.Popen[bytes], ...]
    """Each on a host of its own, 127.0.0.2 and up, for Spark copies a slow task to another host only."""
    settings: Mapping[str, str]
    """What an application must be set to, secret included."""

    def state(self) -> dict[str, Any]:
        """The master's own account of workers and applications."""
        with urllib.request.urlopen(f"{self.web_url}/json/", timeout=5) as reply:
            state: dict[str, Any] = json.load(reply)
            return state

    def workers_alive(self) -> int:
        return sum(worker["state"] == "ALIVE" for worker in self.state()["workers"])

    def worker_running(self, pid: int) -> int:
        """The number of the worker under which process `pid` runs."""
        ancestors = {parent.pid for parent in psutil.Process(pid).parents()}
        return next(number for number, worker in enumerate(self.workers) if worker.pid in ancestors)

    def kill_worker(self, number: int) -> None:
        """As if the machine lost power: SIGKILL for the worker, its executors and their Python processes."""
        worker = psutil.Process(self.workers[number].pid)
        killed = [worker, *worker.children(recursive=True)]
        for process in killed:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue  # ended with its parent
        self.workers[number].wait(_STOP_TIMEOUT_S)
        _, alive = psutil.wait_procs(killed, timeout=_STOP_TIMEOUT_S)
        assert not alive, f"killed, but still there: {alive}"


@contextmanager
def spark_cluster(folder: Path, *, workers: int = 2, cores: int = 1, memory_mb: int = 600) -> Iterator[SparkCluster]:
    """Start a cluster that keeps its logs and work in `folder`, and end all of its processes on the way out."""
    secret = secrets.token_hex(16)
    settings = {
        "spark.authenticate": "true",
        "spark.authenticate.secret": secret,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.executor.extraJavaOptions": _LIGHT_JVM,
        "spark.executor.memory": f"{memory_mb - 100}m",
    }
    properties = folder / "daemon.conf"
    properties.touch(mode=0o600)
    properties.write_text(
        f"spark.authenticate true\nspark.authenticate.secret {secret}\nspark.master.rest.enabled false\n"
    )
    with ExitStack() as processes:
        log = folder / "master.log"
        arguments = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
        master_class = "org.apache.spark.deploy.master.Master"
        process = processes.enter_context(_daemon(master_class, "127.0.0.1", properties, log, arguments))
        master, web_url = (_wait_for(pattern, log, process) for pattern in (_MASTER_URL, _WEB_URL))
        started = []
        for number in range(workers):
            host = f"127.0.0.{number + 2}"
            arguments = ["--host", host, "--webui-port", "0", "--cores", str(cores), "--memory", f"{memory_mb}m"]
            arguments += ["--work-dir", str(folder / f"work-{number}"), master]
            worker_class = "org.apache.spark.deploy.worker.Worker"
            worker_log = folder / f"worker-{number}.log"
            started.append(processes.enter_context(_daemon(worker_class, host, properties, worker_log, arguments)))
        cluster = SparkCluster(master, web_url, tuple(started), settings)
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while cluster.workers_alive() < workers:
            assert time.monotonic() < deadline, (
                f"only {cluster.workers_alive()} of {workers} workers came up: see {folder}"
            )
            time.sleep(0.2)
        yield cluster


@contextmanager
def _daemon(
    java_class: str, host: str, properties: Path, log: Path, arguments: list[str]
) -> Iterator[subprocess.Popen[bytes]]:
    spark_home = Path(pyspark.__file__).parent
    environment = {
        **os.environ,
        "JAVA_HOME": str(find_java(pyspark.__version__).home),
        "SPARK_HOME": str(spark_home),
        "SPARK_LOCAL_IP": host,
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": _LIGHT_JVM,
    }
    command = [str(spark_home / "bin" / "spark-class"), java_class, "--properties-file", str(properties), *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, then SIGKILL, for the process and all it started."""
    if process.poll() is not None:
        return
    below = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(below, timeout=_STOP_TIMEOUT_S)
    for child in alive:
        child.kill()


def _wait_for(pattern: re.Pattern[str], log: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while (match := pattern.search(log.read_text(errors="replace"))) is None:
        assert process.poll() is None, f"the master ended: {log.read_text(errors='replace')[-2000:]}"
        assert time.monotonic() < deadline, f"the master did not come up: {log.read_text(errors='replace')[-2000:]}"
        time.sleep(0.1)
    return match[1]
