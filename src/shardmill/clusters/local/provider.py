"""Local clusters, as the process that asks for them sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import psutil
import pyspark

from shardmill.clusters.base import (
    READY_TIMEOUT_S,
    Cluster,
    ClusterSpec,
    ClusterState,
    Job,
    JobOutcome,
    UsageSample,
)
from shardmill.clusters.local.driver import run_driver
from shardmill.clusters.local.folder import (
    ClusterFolder,
    ProcessMark,
    find_ended,
    find_folders,
    home,
    make_folder,
    read_json,
    retire,
    write_json,
)
from shardmill.clusters.local.leash import end_tree
from shardmill.clusters.plain import plain_spec, spec_of
from shardmill.errors import ClusterError, ShardmillError, UsageError
from shardmill.java import find_java
from shardmill.machine import available_cores
from shardmill.units import format_bytes

_POLL_S: Final = 0.1
_MOST_WORKERS: Final = 200
_LEAST_MEMORY_MB: Final = 600
_STATES: Final[dict[str, ClusterState]] = {"starting": "starting", "ready": "ready", "ended": "ending"}


class LocalProvider:
    """See `ClusterProvider`. A cluster that is not `detached` ends with this process, `kill -9` included."""

    def __init__(self) -> None:
        self._supervisors: dict[str, subprocess.Popen[bytes]] = {}

    def objections(self, spec: ClusterSpec) -> list[str]:
        """Against the memory of this machine; more cores than it has are allowed, for a shape can be tried that way."""
        objections = []
        if not sys.platform.startswith("linux"):
            objections.append("Local clusters need Linux; run this in a Linux machine or container.")
        if not 1 <= spec.workers <= _MOST_WORKERS:
            objections.append(
                f"A local cluster has 1 to {_MOST_WORKERS} workers, not {spec.workers}; change `workers`."
            )
        if spec.worker.cores < 1:
            objections.append(f"A local worker has 1 core or more, not {spec.worker.cores}; change `cores`.")
        if spec.worker.memory_mb < _LEAST_MEMORY_MB:
            objections.append(
                f"Spark needs {_LEAST_MEMORY_MB} MB a worker, and {spec.worker.memory_mb} are given; raise `memory`."
            )
        memory = psutil.virtual_memory().total
        if spec.workers * spec.worker.memory_mb * 10**6 > memory:
            objections.append(
                f"{spec.workers} workers of {spec.worker.memory_mb} MB are more than this machine's "
                f"{format_bytes(memory)}; lower `workers` or `memory`."
            )
        try:
            find_java(pyspark.__version__)
        except ShardmillError as error:
            objections.append(f"{error}.")
        return objections

    def create(self, spec: ClusterSpec, name: str, *, detached: bool = False) -> None:
        existing = read_json(ClusterFolder(home() / name).order)
        if existing and existing["spec"] == plain_spec(spec) and ClusterFolder(home() / name).supervisor() is not None:
            return
        self._clear_away_dead()
        folder = make_folder(name)
        order = {
            "name": name,
            "spec": plain_spec(spec),
            "created_at": time.time(),
            "parent": None if detached else asdict(ProcessMark.mine()),
            "pinned": self._cores_for(spec),
            "spark_home": str(Path(pyspark.__file__).parent),
            "java_home": str(find_java(pyspark.__version__).home),
        }
        write_json(folder.order, order)
        with folder.log.open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "shardmill.clusters.local.supervisor",
                    str(folder.path),
                    *(["detached"] * detached),
                ],
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if detached:
            process.wait()  # it has left the supervisor to itself
        else:
            self._supervisors[name] = process

    def wait_ready(self, name: str, timeout_s: float = READY_TIMEOUT_S) -> Cluster:
        folder, deadline = self._folder(name), time.monotonic() + timeout_s
        while (phase := folder.read_state().get("phase", "starting")) == "starting":
            process = self._supervisors.get(name)
            ended = folder.is_orphaned() if process is None else process.poll() is not None
            if ended:
                raise ClusterError(f"cluster {name} ended as it started; {folder.log} tells why.")
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"cluster {name} was not ready within {timeout_s:.0f} s; {folder.path} has its logs."
                )
            time.sleep(_POLL_S)
        if phase != "ready":
            raise ClusterError(
                f"cluster {name} did not start: {folder.read_state().get('reason', 'its supervisor died')}"
            )
        return self.get(name)

    def get(self, name: str) -> Cluster:
        return _describe(self._folder(name))

    def find(self) -> list[Cluster]:
        self._clear_away_dead()
        return [_describe(folder) for folder in find_folders()]

    def submit(self, cluster: Cluster, job: Job, on_output: Callable[[str], None]) -> JobOutcome:
        folder = self._folder(cluster.name)
        state = folder.read_state()
        if state.get("phase") != "ready" or folder.supervisor() is None:
            raise ClusterError(f"cluster {cluster.name} runs no longer ({state.get('reason', 'its supervisor died')}).")
        return run_driver(folder, state["master"], job, on_output)

    def cancel(self, cluster: Cluster, job: str) -> None:
        mark = read_json(self._folder(cluster.name).jobs / job / "leash.json")
        process = ProcessMark(**mark).process() if mark else None
        if process is not None:
            end_tree([process])

    def usage(self, cluster: Cluster, start: float, end: float) -> list[UsageSample]:
        try:
            folder: ClusterFolder | None = self._folder(cluster.name)
        except UsageError:
            folder = find_ended(cluster.name)
        if folder is None or not folder.usage.exists():
            return []
        with folder.usage.open() as lines:
            samples = [UsageSample(**json.loads(line)) for line in lines if line.endswith("\n")]
        return [sample for sample in samples if sample.start + sample.seconds > start and sample.start < end]

    def delete(self, name: str) -> None:
        try:
            folder = self._folder(name)
        except UsageError:
            return
        supervisor = folder.supervisor()
        end_tree([supervisor] if supervisor is not None else [], timeout_s=10.0)
        end_tree(folder.left_over())
        process = self._supervisors.pop(name, None)
        if process is not None:
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
        left = folder.left_over()
        if left:
            raise ClusterError(f"processes {', '.join(str(process.pid) for process in left)} do not end")
        retire(folder)

    def delete_command(self, name: str) -> str:
        return f"shardmill cluster down {name}"

    def _folder(self, name: str) -> ClusterFolder:
        folder = ClusterFolder(home() / name)
        if not folder.order.exists():
            raise UsageError(f"there is no local cluster {name}; `shardmill cluster list` names those there are.")
        return folder

    def _clear_away_dead(self) -> None:
        """Keep the accounts of clusters that ended by themselves; one with processes left stays, to be deleted."""
        for folder in find_folders():
            if folder.is_orphaned() and not folder.left_over():
                retire(folder)

    def _cores_for(self, spec: ClusterSpec) -> list[list[int]] | None:
        """Cores of this machine for each worker alone, least used ones first; None when it has too few."""
        if not hasattr(os, "sched_getaffinity") or spec.workers * spec.worker.cores > available_cores():
            return None
        taken = Counter(
            core for folder in find_folders() for group in read_json(folder.order).get("pinned") or () for core in group
        )
        free = sorted(os.sched_getaffinity(0), key=lambda core: (taken[core], core))
        each = spec.worker.cores
        return [free[number * each : (number + 1) * each] for number in range(spec.workers)]


def _describe(folder: ClusterFolder) -> Cluster:
    order, state = read_json(folder.order), folder.read_state()
    spec = spec_of(order["spec"])
    name, created = order["name"], order["created_at"]
    broken = bool(state) and folder.supervisor() is None
    facts = {"spark": pyspark.__version__, "java": order["java_home"], "master": state.get("master", "")}
    facts["cores"] = "shared" if order["pinned"] is None else "pinned"
    facts["ends"] = "by its limits" if order["parent"] is None else f"with process {order['parent']['pid']}"
    return Cluster(
        name=name,
        provider="local",
        spec=spec,
        state="broken" if broken else _STATES.get(state.get("phase", "starting"), "broken"),
        created_at=created,
        ready_at=state.get("ready_at"),
        expires_at=created + spec.max_age_s,
        nodes={node: "master" if node.endswith("-m") else "worker" for node in state.get("daemons", {})},
        address=state.get("web_url", ""),
        facts=facts,
    )
