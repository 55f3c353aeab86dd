"""A real Spark standalone cluster for tests: the product's own, with the means to hurt it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from shardmill.clusters.base import ClusterSpec, NodeSpec, running
from shardmill.clusters.local.daemons import workers_alive
from shardmill.clusters.local.folder import STATE_VARIABLE, ClusterFolder, ProcessMark, home, read_properties
from shardmill.clusters.local.provider import LocalProvider


def local_spec(name: str = "test", *, workers: int = 2, cores: int = 1, memory_mb: int = 600) -> ClusterSpec:
    """A small local shape."""
    return ClusterSpec(name, "local", NodeSpec("local", cores, memory_mb), workers, NodeSpec("local", 0, 256))


@dataclass(frozen=True, slots=True)
class SparkCluster:
    """A running cluster."""

    folder: ClusterFolder
    master: str
    """`spark://127.0.0.1:PORT`."""
    web_url: str
    workers: tuple[psutil.Process, ...]
    settings: Mapping[str, str]
    """What an application must be set to, secret included."""

    def workers_alive(self) -> int:
        return workers_alive(self.web_url)

    def worker_running(self, pid: int) -> int:
        """The number of the worker under which process `pid` runs."""
        ancestors = {parent.pid for parent in psutil.Process(pid).parents()}
        return next(number for number, worker in enumerate(self.workers) if worker.pid in ancestors)

    def kill_worker(self, number: int) -> None:
        """As if the machine lost power: SIGKILL for the worker, its executors and their Python processes."""
        worker = self.workers[number]
        killed = [worker, *worker.children(recursive=True)]
        for process in killed:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue  # ended with its parent
        _, alive = psutil.wait_procs(killed, timeout=30)  # the supervisor takes note of them once a second
        assert not alive, f"killed, but still there: {alive}"


@contextmanager
def spark_cluster(folder: Path, *, workers: int = 2, cores: int = 1, memory_mb: int = 600) -> Iterator[SparkCluster]:
    """Start a cluster that keeps its logs and work below `folder`, and end all of its processes on the way out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_VARIABLE, str(folder / "state"))
        spec = local_spec(workers=workers, cores=cores, memory_mb=memory_mb)
        with running(LocalProvider(), spec, "test") as cluster:
            kept = ClusterFolder(home() / cluster.name)
            state = kept.read_state()
            processes = tuple(
                psutil.Process(ProcessMark(**state["daemons"][f"test-w-{number}"]).pid) for number in range(workers)
            )
            settings = read_properties(kept.settings)
            yield SparkCluster(kept, state["master"], state["web_url"], processes, settings)
