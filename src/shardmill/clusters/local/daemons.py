"""Starting the processes of a Spark standalone cluster: master and workers on loopback, with a secret."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shardmill.clusters.local.folder import write_properties
from shardmill.clusters.local.leash import die_with_parent
from shardmill.errors import ClusterError

MASTER_HOST: Final = "127.0.0.1"
LIGHT_JVM: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""These JVMs only hand tasks around: half the CPU of a start is their compiler."""

_NO_PROXY: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_READY_TIMEOUT_S: Final = 180.0
_POLL_S: Final = 0.1
_MASTER_URL: Final = re.compile(r"Starting Spark master at (spark://\S+)")
_WEB_URL: Final = re.compile(r"Bound MasterWebUI to \S+ and started at (http://\S+)")
_QUIET_LOG: Final = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
"""
_LEAST_HEAP_MB: Final = 512
_MOST_HEAP_MB: Final = 1024


@dataclass(frozen=True, slots=True)
class Master:
    """A master that listens."""

    process: subprocess.Popen[bytes]
    url: str
    """`spark://127.0.0.1:PORT`."""
    web_url: str


@dataclass(frozen=True, slots=True)
class Daemons:
    """How to start the processes of one cluster."""

    folder: Path
    spark_home: str
    java_home: str
    secret: str
    pause: Callable[[float], None]
    """Waits that many seconds; raises when nobody wants the cluster any longer."""

    def start_master(self) -> Master:
        """Start it and wait until it listens.

        Raises:
            ClusterError: it ended, or did not come up in time.
        """
        log = self.folder / "master.log"
        arguments = ["--host", MASTER_HOST, "--port", "0", "--webui-port", "0"]
        process = self._start("org.apache.spark.deploy.master.Master", MASTER_HOST, log, arguments, None)
        url, web_url = (self._wait_for(pattern, log, process) for pattern in (_MASTER_URL, _WEB_URL))
        return Master(process, url, web_url)

    def start_worker(
        self, number: int, master: Master, cores: int, memory_mb: int, pinned: Collection[int] | None
    ) -> subprocess.Popen[bytes]:
        """Start worker `number`, on the cores `pinned` of this machine alone if they are given."""
        arguments = ["--host", worker_host(number), "--webui-port", "0", "--cores", str(cores)]
        arguments += ["--memory", f"{memory_mb}m", "--work-dir", str(self.folder / f"work-{number}"), master.url]
        log = self.folder / f"worker-{number}.log"
        return self._start("org.apache.spark.deploy.worker.Worker", worker_host(number), log, arguments, pinned)

    def wait_for_workers(self, master: Master, processes: list[subprocess.Popen[bytes]]) -> None:
        """Until the master counts on all of them.

        Raises:
            ClusterError: one ended, or they did not come up in time.
        """
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while (alive := _alive_so_far(master.web_url)) < len(processes):
            ended = [number for number, process in enumerate(processes) if process.poll() is not None]
            if ended:
                raise ClusterError(f"worker {ended[0]} ended as it started; its log tells why.")
            if time.monotonic() > deadline:
                raise ClusterError(f"only {alive} of {len(processes)} workers came up within {_READY_TIMEOUT_S:.0f} s.")
            self.pause(_POLL_S)

    def _start(
        self, java_class: str, host: str, log: Path, arguments: list[str], pinned: Collection[int] | None
    ) -> subprocess.Popen[bytes]:
        properties = self.folder / "daemon.conf"
        write_properties(
            properties,
            {
                "spark.authenticate": "true",
                "spark.authenticate.secret": self.secret,
                "spark.master.rest.enabled": "false",
                "spark.ui.killEnabled": "false",
            },
        )
        environment = {
            **os.environ,
            "JAVA_HOME": self.java_home,
            "SPARK_HOME": self.spark_home,
            "SPARK_LOCAL_IP": host,
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": LIGHT_JVM,
        }
        command = [f"{self.spark_home}/bin/spark-class", java_class, "--properties-file", str(properties), *arguments]

        def before_exec() -> None:
            die_with_parent()
            if pinned is not None:
                os.sched_setaffinity(0, pinned)

        with log.open("wb") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                preexec_fn=before_exec,  # noqa: PLW1509  # the supervisor has one thread
            )

    def _wait_for(self, pattern: re.Pattern[str], log: Path, process: subprocess.Popen[bytes]) -> str:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while (match := pattern.search(log.read_text(errors="replace"))) is None:
            if process.poll() is not None:
                last = log.read_text(errors="replace").strip().rpartition("\n")[2]
                raise ClusterError(f"the Spark master ended as it started: {last}")
            if time.monotonic() > deadline:
                raise ClusterError(f"the Spark master did not come up within {_READY_TIMEOUT_S:.0f} s.")
            self.pause(_POLL_S)
        return match[1]


def worker_host(number: int) -> str:
    """A loopback address of its own for each worker, for Spark copies a slow task to another host only."""
    return f"127.0.{(number + 2) // 256}.{(number + 2) % 256}"


def application_settings(folder: Path, secret: str, cores: int, workers: int, memory_mb: int) -> dict[str, str]:
    """What every application on the cluster is set to, secret included.

    One executor a worker with all of its cores; its heap is small, for images are worked on outside of the JVM. The first
    task waits until all workers are there, so that two runs on one shape are alike.
    """
    logging = folder / "log4j2.properties"
    logging.write_text(_QUIET_LOG)
    heap_mb = min(max(memory_mb // 2, _LEAST_HEAP_MB), _MOST_HEAP_MB, memory_mb)
    return {
        "spark.authenticate": "true",
        "spark.authenticate.secret": secret,
        "spark.cores.max": str(cores * workers),
        "spark.driver.bindAddress": MASTER_HOST,
        "spark.driver.extraJavaOptions": f"{LIGHT_JVM} -Dlog4j2.configurationFile={logging.as_uri()}",
        "spark.driver.host": MASTER_HOST,
        "spark.executor.cores": str(cores),
        "spark.executor.extraJavaOptions": LIGHT_JVM,
        "spark.executor.memory": f"{heap_mb}m",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "60s",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.ui.enabled": "false",
    }


def workers_alive(web_url: str) -> int:
    """Workers that the master counts on."""
    state = master_state(web_url)
    return sum(worker["state"] == "ALIVE" for worker in state["workers"])


def master_state(web_url: str) -> Mapping[str, Any]:
    """The master's own account of workers and applications; raises OSError when it does not answer."""
    with _NO_PROXY.open(f"{web_url}/json/", timeout=5) as reply:
        state: dict[str, Any] = json.load(reply)
        return state


def _alive_so_far(web_url: str) -> int:
    try:
        return workers_alive(web_url)
    except OSError:
        return 0  # a machine that is busy starting JVMs may not answer in time
