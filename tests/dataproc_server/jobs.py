"""Jobs as the simulated service runs them."""

from __future__ import annotations

import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from google.cloud import dataproc_v1

from tests.dataproc_server.clock import Clock
from tests.dataproc_server.clusters import SimulatedCluster
from tests.dataproc_server.clusters import State as ClusterState
from tests.dataproc_server.machines import Machines, end_driver
from tests.dataproc_server.wire import stamp
from tests.stores import StoreServer

State = dataproc_v1.JobStatus.State

PART_BYTES: Final = 2000
"""Of one object with driver output: small, so that every test that prints reads more than one."""

ENDED: Final = frozenset({State.DONE, State.ERROR, State.CANCELLED})
_BEAT_S: Final = 0.2
_SPARK_PREFIX: Final = "spark:"


class SimulatedJob:
    """One job and the thread that runs it."""

    def __init__(
        self,
        message: Any,
        cluster: SimulatedCluster,
        machines: Callable[[], Machines],
        store: StoreServer,
        bucket: str,
        folder: Path,
        clock: Clock,
    ) -> None:
        self.message, self.cluster, self._machines = message, cluster, machines
        self._store, self._bucket, self._clock = store, bucket, clock
        self._folder = folder
        self._cancelled = threading.Event()
        self._lost = threading.Event()
        message.job_uuid = str(uuid.uuid4())
        message.placement.cluster_uuid = cluster.message.cluster_uuid
        self._prefix = f"google-cloud-dataproc-metainfo/{cluster.message.cluster_uuid}/jobs/{message.reference.job_id}/driveroutput"
        message.driver_output_resource_uri = f"gs://{bucket}/{self._prefix}"
        self._enter(State.PENDING)
        self._thread = threading.Thread(target=self._run, name=message.reference.job_id, daemon=True)
        self._thread.start()

    @property
    def state(self) -> Any:
        return State(self.message.status.state)

    def cancel(self) -> None:
        if self.state not in ENDED:
            self._enter(State.CANCEL_PENDING)
            self._cancelled.set()

    def lose(self) -> None:
        """The cluster died."""
        self._lost.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _enter(self, state: Any, details: str = "") -> None:
        if self.message.status.state:
            self.message.status_history.append(self.message.status)
        self.message.status = dataproc_v1.JobStatus(
            state=state, details=details, state_start_time=stamp(self._clock.now())
        )
        self.message.done = state in ENDED

    def _run(self) -> None:
        self.cluster.busy += 1
        try:
            self._carry_out()
        except Exception as error:  # noqa: BLE001  # told to the client, as an agent that fails would
            self._enter(State.ERROR, f"the test server failed: {error!r}")
        finally:
            self.cluster.busy -= 1
            self.cluster.idle_since = self._clock.now()

    def _carry_out(self) -> None:
        while self.cluster.state is ClusterState.CREATING:
            time.sleep(_BEAT_S)
        if self.cluster.state is not ClusterState.RUNNING:
            return self._enter(State.ERROR, "Cluster is not running")
        machines = self._machines()
        machines.wait_ready()
        self._enter(State.SETUP_DONE)
        script, py_files = self._fetched(self.message.pyspark_job)
        properties = self._properties()
        process = machines.start_driver(self._folder, script, list(self.message.pyspark_job.args), py_files, properties)
        if not self._cancelled.is_set():
            self._enter(State.RUNNING)
        sent = 0
        while process.poll() is None and not self._cancelled.is_set() and not self._lost.is_set():
            sent = self._publish_output(sent)
            time.sleep(_BEAT_S)
        end_driver(process)
        if self._lost.is_set() and not self._cancelled.is_set():
            return self._enter(State.ERROR, "Task not acquired: agent of the cluster is gone")
        self._publish_output(sent)
        self._publish_events(properties)
        return self._finish(process)

    def _finish(self, process: subprocess.Popen[bytes]) -> None:
        if self._cancelled.is_set():
            self._enter(State.CANCELLED)
        elif process.returncode == 0:
            self._enter(State.DONE)
        else:
            self._enter(State.ERROR, "Google Cloud Dataproc Agent reports job failure.")

    def _fetched(self, job: Any) -> tuple[Path, list[str]]:
        files = [self._download(uri) for uri in (job.main_python_file_uri, *job.python_file_uris)]
        return files[0], [str(path) for path in files[1:]]

    def _download(self, uri: str) -> Path:
        parts = urlsplit(uri)
        assert parts.scheme == "gs", f"{uri}: only gs:// is understood here"
        path = self._folder / "staging" / Path(parts.path).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._store.get(parts.netloc, parts.path.lstrip("/")))
        return path

    def _properties(self) -> Mapping[str, str]:
        cluster = self.cluster.message.config.software_config.properties
        of_cluster = {
            key.removeprefix(_SPARK_PREFIX): value for key, value in cluster.items() if key.startswith(_SPARK_PREFIX)
        }
        return of_cluster | dict(self.message.pyspark_job.properties)

    def _publish_output(self, sent: int) -> int:
        """Write the parts that have grown; the last one is written again until it is full."""
        path = self._folder / "output"
        content = path.read_bytes() if path.exists() else b""
        if len(content) > sent:
            for number in range(sent // PART_BYTES, -(-len(content) // PART_BYTES)):
                part = content[number * PART_BYTES : (number + 1) * PART_BYTES]
                self._store.put(self._bucket, f"{self._prefix}.{number:09d}", part)
        return len(content)

    def _publish_events(self, properties: Mapping[str, str]) -> None:
        wanted = urlsplit(properties.get("spark.eventLog.dir", ""))
        if properties.get("spark.eventLog.enabled") == "true" and wanted.scheme == "gs":
            for path in (self._folder / "events").iterdir():
                self._store.put(wanted.netloc, f"{wanted.path.strip('/')}/{path.name}", path.read_bytes())
