"""This machine as a cluster of one node that is there already: nothing is made, and nothing is paid for.

Jobs run one after another, as processes of this machine. `shardmill_host` in the user's cache folder holds a folder for each
cluster, with its spec and the outcome of each job.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from shutil import rmtree

import psutil

from shardmill.clusters.base import (
    READY_TIMEOUT_S,
    Cluster,
    ClusterSpec,
    Job,
    JobOutcome,
    JobState,
    NodeSpec,
    UsageSample,
)
from shardmill.errors import UsageError
from shardmill.machine import available_cores

TIMED_OUT = 124


class HostProvider:
    """See `shardmill.clusters.base.ClusterProvider`."""

    def __init__(self) -> None:
        self._home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shardmill_host"

    def objections(self, spec: ClusterSpec) -> list[str]:
        objections = []
        if spec.workers:
            objections.append(f"A host is a cluster of one node, not of {spec.workers} workers; set workers to 0.")
        if spec.master.cores > available_cores():
            objections.append(f"This host has {available_cores()} cores, not {spec.master.cores}; lower cores.")
        return objections

    def create(self, spec: ClusterSpec, name: str, *, detached: bool = False) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            (self._home / name).mkdir()
            _write(self._home / name / "cluster.json", {"spec": asdict(spec), "created_at": time.time()})

    def wait_ready(self, name: str, timeout_s: float = READY_TIMEOUT_S) -> Cluster:
        return self.get(name)

    def get(self, name: str) -> Cluster:
        try:
            told = json.loads((self._home / name / "cluster.json").read_text())
        except OSError as error:
            raise UsageError(f"there is no cluster {name}; create it first.") from error
        values = told["spec"]
        spec = ClusterSpec(**values | {kind: NodeSpec(**values[kind]) for kind in ("worker", "master")})
        created_at = told["created_at"]
        expires_at = created_at + spec.max_age_s
        return Cluster(name, "host", spec, "ready", created_at, created_at, expires_at, {"host": "master"})

    def find(self) -> list[Cluster]:
        return [self.get(folder.parent.name) for folder in sorted(self._home.glob("*/cluster.json"))]

    def submit(self, cluster: Cluster, job: Job, on_output: Callable[[str], None]) -> JobOutcome:
        path = self._home / cluster.name / job.id
        if (path / "outcome.json").exists():
            return JobOutcome(**json.loads((path / "outcome.json").read_text()))
        path.mkdir(exist_ok=True)
        words = [job.app, *job.words] if job.app is not None else ["-m", "shardmill", *job.words, "--json"]
        started_at, tail = time.time(), ""
        limit_s = min(cluster.expires_at - started_at, job.timeout_s or cluster.spec.max_age_s)
        command = ["timeout", f"{max(limit_s, 1):.0f}", sys.executable, *words]  # which ends it though we be killed
        with (path / "stdout").open("w") as stdout:
            process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True)
        try:
            _write(path / "process.json", [process.pid, psutil.Process(process.pid).create_time()])
            assert process.stderr is not None
            for line in process.stderr:
                tail = (tail + line)[-4000:]
                on_output(line)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                _end(path)
                process.wait()
        code = process.returncode
        state: JobState = "cancelled" if code < 0 or code == TIMED_OUT else "done" if code == 0 else "failed"
        result = json.loads((path / "stdout").read_text()) if code == 0 and job.app is None else None
        error = "" if state == "done" else tail.strip()
        outcome = JobOutcome(job.id, state, code, started_at, time.time(), result, error)
        sample = UsageSample(
            node="host",
            role="master",
            start=started_at,
            seconds=outcome.elapsed_s,
            cores=available_cores(),
            cpu_s=used.ru_utime + used.ru_stime,
            network_in_bytes=None,
            network_out_bytes=None,
            disk_read_bytes=None,
            disk_write_bytes=None,
            memory_bytes=None,
            source="process",
        )
        _write(path / "usage.json", asdict(sample))
        _write(path / "outcome.json", asdict(outcome))
        return outcome

    def cancel(self, cluster: Cluster, job: str) -> None:
        _end(self._home / cluster.name / job)

    def usage(self, cluster: Cluster, start: float, end: float) -> list[UsageSample]:
        files = (self._home / cluster.name).glob("*/usage.json")
        samples = [UsageSample(**json.loads(file.read_text())) for file in files]
        return [sample for sample in samples if sample.start < end and sample.start + sample.seconds > start]

    def delete(self, name: str) -> None:
        for file in (self._home / name).glob("*/process.json"):
            _end(file.parent)
        with suppress(FileNotFoundError):
            rmtree(self._home / name)

    def delete_command(self, name: str) -> str:
        return f"rm -r {self._home / name}"


def _end(path: Path) -> None:
    """End the process of the job in the folder `path`, and what it started."""
    with suppress(FileNotFoundError, psutil.NoSuchProcess):
        pid, born = json.loads((path / "process.json").read_text())
        process = psutil.Process(pid)
        for one in (*process.children(recursive=True), process) if process.create_time() == born else ():
            with suppress(psutil.NoSuchProcess):
                one.terminate()


def _write(path: Path, value: object) -> None:
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(value))
    scratch.replace(path)
