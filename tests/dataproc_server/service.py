"""What each method of the simulated service does; see `server` for the wire."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.cloud import dataproc_v1

from tests.dataproc_server import filters, rules
from tests.dataproc_server.clock import Clock
from tests.dataproc_server.clusters import Operation, SimulatedCluster, State, accepted
from tests.dataproc_server.faults import Faults
from tests.dataproc_server.jobs import ENDED, SimulatedJob
from tests.dataproc_server.machines import Machines
from tests.dataproc_server.wire import ApiError, parse, plain
from tests.stores import StoreServer


@dataclass
class Service:
    """Clusters, operations and jobs of one project and region."""

    project: str
    region: str
    store: StoreServer
    bucket: str
    folder: Path
    clock: Clock
    faults: Faults
    cpus: int = 24
    """Quota of vCPUs: the example of cloud.google.com/dataproc/quotas."""
    environment: Mapping[str, str] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    clusters: dict[str, SimulatedCluster] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    jobs: dict[str, SimulatedJob] = field(default_factory=dict)
    machines: dict[str, Machines] = field(default_factory=dict)
    """By the cluster's uuid."""
    past: list[SimulatedCluster] = field(default_factory=list)
    """Clusters that are gone: what Monitoring still remembers."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    _answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By request id."""

    def create_cluster(self, body: Any, request_id: str) -> dict[str, Any]:
        rules.enforce_request_id(request_id)
        if request_id and request_id in self._answered:
            return self._answered[request_id]
        message = parse(dataproc_v1.Cluster(), body)
        if message.project_id not in ("", self.project):
            raise ApiError("INVALID_ARGUMENT", "project_id of the cluster differs from that of the request")
        rules.enforce(rules.CLUSTER_RULES, message)
        if message.cluster_name in self.clusters:
            raise ApiError("ALREADY_EXISTS", f"Already exists: Failed to create cluster: {self._path(message)}")
        self._enforce_quota(message)
        cluster = accepted(message, self.region, self.clock, None)
        if self.faults.creation is not None:
            zone = message.config.gce_cluster_config.zone_uri
            cluster.fails_with = self.faults.creation.format(project=self.project, zone=zone)
        self.clusters[cluster.name] = cluster
        answer = self._operate(cluster.creation, cluster, creates=True)
        self._answered[request_id] = answer
        return answer

    def get_cluster(self, name: str) -> dict[str, Any]:
        return plain(self._cluster(name).message)

    def list_clusters(self, text: str) -> dict[str, Any]:
        found = [cluster for cluster in self.clusters.values() if filters.matches(cluster.message, text)]
        return {"clusters": [plain(cluster.message) for cluster in found]}

    def delete_cluster(self, name: str, cluster_uuid: str, request_id: str) -> dict[str, Any]:
        rules.enforce_request_id(request_id)
        if request_id and request_id in self._answered:
            return self._answered[request_id]
        cluster = self._cluster(name)
        if cluster_uuid not in ("", cluster.message.cluster_uuid):  # proto DeleteClusterRequest.cluster_uuid
            raise ApiError("NOT_FOUND", f"Not found: Cluster {name} with UUID {cluster_uuid}")
        if cluster.deletion is not None:
            raise ApiError("FAILED_PRECONDITION", f"Cluster {name} is already being deleted")
        answer = self._operate(cluster.delete(), cluster, creates=False)
        self._answered[request_id] = answer
        return answer

    def get_operation(self, name: str) -> dict[str, Any]:
        if name not in self.operations:
            raise ApiError("NOT_FOUND", f"Operation not found: {name}")
        return self.operations[name].answer()

    def submit_job(self, body: Any) -> dict[str, Any]:
        request = parse(dataproc_v1.SubmitJobRequest(), body)
        rules.enforce_request_id(request.request_id)
        job = request.job
        job.reference.project_id = self.project
        job.reference.job_id = job.reference.job_id or str(uuid.uuid4())
        rules.enforce(rules.JOB_RULES, job)
        cluster = self._cluster(job.placement.cluster_name)
        if cluster.state not in (State.RUNNING, State.CREATING, State.UPDATING):
            state = cluster.state.name
            raise ApiError("FAILED_PRECONDITION", f"Cluster {cluster.name} is in state {state} and cannot accept jobs.")
        known = self.jobs.get(job.reference.job_id)
        if known is not None:
            if request.request_id and self._answered.get(request.request_id):
                return plain(known.message)
            raise ApiError("ALREADY_EXISTS", f"Already exists: Job {self.project}/{job.reference.job_id}")
        folder = self.folder / "jobs" / job.reference.job_id
        made = SimulatedJob(job, cluster, lambda: self._machines(cluster), self.store, self.bucket, folder, self.clock)
        self.jobs[job.reference.job_id] = made
        if request.request_id:
            self._answered[request.request_id] = {"job": job.reference.job_id}
        return plain(made.message)

    def get_job(self, job: str) -> dict[str, Any]:
        return plain(self._job(job).message)

    def list_jobs(self, cluster: str) -> dict[str, Any]:
        jobs = [job for job in self.jobs.values() if cluster in ("", job.cluster.name)]
        return {"jobs": [plain(job.message) for job in jobs]}

    def cancel_job(self, job: str) -> dict[str, Any]:
        self._job(job).cancel()
        return self.get_job(job)

    def advance(self) -> None:
        """Do what is due by the clock."""
        for cluster in list(self.clusters.values()):
            cluster.advance()
            if cluster.deletion is not None:
                self._let_jobs_go(cluster)
            if cluster.gone:
                self._stop(cluster)
                del self.clusters[cluster.name]
                self.past.append(cluster)

    def kill(self, name: str) -> None:
        """The cluster dies while running: its machines stop, it stays in ERROR and is paid for until it is deleted."""
        with self.lock:
            cluster = self._cluster(name)
            self._let_jobs_go(cluster)
            cluster.enter(State.ERROR, "The master node is unhealthy")
        self._stop(cluster)

    def stop(self) -> None:
        for cluster in [*self.clusters.values(), *self.past]:
            self._let_jobs_go(cluster)
            self._stop(cluster)

    def usage_of(self, cluster: SimulatedCluster) -> Machines | None:
        return self.machines.get(cluster.message.cluster_uuid)

    def _let_jobs_go(self, cluster: SimulatedCluster) -> None:
        for job in self._jobs_of(cluster):
            job.lose()

    def _jobs_of(self, cluster: SimulatedCluster) -> Iterator[SimulatedJob]:
        return (job for job in list(self.jobs.values()) if job.cluster is cluster and job.state not in ENDED)

    def _stop(self, cluster: SimulatedCluster) -> None:
        machines = self.machines.get(cluster.message.cluster_uuid)
        if machines is not None:
            machines.stop()

    def _machines(self, cluster: SimulatedCluster) -> Machines:
        with self.lock:
            number = cluster.message.cluster_uuid
            if number not in self.machines:
                workers = cluster.message.config.worker_config.num_instances
                self.machines[number] = Machines(self.folder / number, cluster.name, workers, self.environment)
            return self.machines[number]

    def _operate(self, number: str, cluster: SimulatedCluster, *, creates: bool) -> dict[str, Any]:
        name = f"projects/{self.project}/regions/{self.region}/operations/{number}"
        self.operations[name] = Operation(name, cluster, creates)
        return self.operations[name].answer()

    def _enforce_quota(self, message: Any) -> None:
        asked = _cores(message)
        left = self.cpus - sum(_cores(cluster.message) for cluster in self.clusters.values())
        if asked > left:
            # As users report it: github.com/GoogleCloudPlatform/data-science-on-gcp/issues/163.
            raise ApiError("INVALID_ARGUMENT", f"Insufficient 'CPUS' quota. Requested {asked}.0, available {left}.0.")

    def cores_in_use(self) -> int:
        return sum(_cores(cluster.message) for cluster in self.clusters.values())

    def _cluster(self, name: str) -> SimulatedCluster:
        if name not in self.clusters:
            path = f"projects/{self.project}/regions/{self.region}/clusters/{name}"
            raise ApiError("NOT_FOUND", f"Not found: Cluster {path}")
        return self.clusters[name]

    def _job(self, job: str) -> SimulatedJob:
        if job not in self.jobs:
            raise ApiError("NOT_FOUND", f"Not found: Job {self.project}/{job}")
        return self.jobs[job]

    def _path(self, message: Any) -> str:
        return f"Cluster projects/{self.project}/regions/{self.region}/clusters/{message.cluster_name}"


def _cores(message: Any) -> int:
    return sum(rules.cores_of(group.machine_type_uri) * group.num_instances for _, group in rules.groups(message))


def keep_time(service: Service, ended: threading.Event) -> None:
    """Hold the limits also while nobody asks."""
    while not ended.is_set():
        with service.lock:
            service.advance()
        time.sleep(0.2)
