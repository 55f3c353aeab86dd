"""Clusters as the simulated service keeps them: from CREATING to the moment that nothing is left."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from google.cloud import dataproc_v1

from tests.dataproc_server.clock import Clock
from tests.dataproc_server.wire import stamp, typed

State = dataproc_v1.ClusterStatus.State

CREATION_S: Final = 0.4
DELETION_S: Final = 0.2
_VERSIONS: Final = {"2.2": "2.2.70-debian12", "2.3": "2.3.13-debian12"}


@dataclass
class SimulatedCluster:
    """One cluster, its message and its moments."""

    message: Any
    clock: Clock
    created_at: float
    fails_with: str | None
    """Why it will be in ERROR rather than RUNNING."""
    creation: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Operation that made it."""
    deletion: str | None = None
    """Operation that deletes it."""
    delete_at: float | None = None
    """When it is gone."""
    idle_since: float = 0.0
    busy: int = 0
    """Jobs that run."""

    @property
    def name(self) -> str:
        name: str = self.message.cluster_name
        return name

    @property
    def state(self) -> Any:
        return State(self.message.status.state)

    def enter(self, state: Any, detail: str = "") -> None:
        if self.message.status.state:
            self.message.status_history.append(self.message.status)
        self.message.status = dataproc_v1.ClusterStatus(
            state=state, detail=detail, state_start_time=stamp(self.clock.now())
        )

    def advance(self) -> None:
        """Do what is due by the clock."""
        now = self.clock.now()
        if self.state is State.CREATING and now >= self.created_at + CREATION_S:
            if self.fails_with is not None:
                self.enter(State.ERROR, self.fails_with)
            else:
                self.enter(State.RUNNING)
                self.idle_since = now
        if self.delete_at is None and self._limit_reached(now):
            self.delete()

    def _limit_reached(self, now: float) -> bool:
        lifecycle = self.message.config.lifecycle_config
        if "auto_delete_ttl" in lifecycle and now >= self.created_at + lifecycle.auto_delete_ttl.total_seconds():
            return True
        idle = self.state is State.RUNNING and not self.busy and "idle_delete_ttl" in lifecycle
        return idle and bool(now >= self.idle_since + lifecycle.idle_delete_ttl.total_seconds())

    def delete(self) -> str:
        if self.deletion is None:
            self.enter(State.DELETING)
            self.deletion, self.delete_at = uuid.uuid4().hex, self.clock.now() + DELETION_S
        return self.deletion

    @property
    def gone(self) -> bool:
        return self.delete_at is not None and self.clock.now() >= self.delete_at


def accepted(message: Any, region: str, clock: Clock, fails_with: str | None) -> SimulatedCluster:
    """A cluster as it is when its request has been accepted: defaults filled in, names given."""
    message.cluster_uuid = str(uuid.uuid4())
    config, name = message.config, message.cluster_name
    message.labels["goog-dataproc-cluster-name"] = name
    message.labels["goog-dataproc-cluster-uuid"] = message.cluster_uuid
    message.labels["goog-dataproc-location"] = region
    config.master_config.num_instances = config.master_config.num_instances or 1
    config.master_config.instance_names = [f"{name}-m"]
    config.worker_config.instance_names = [f"{name}-w-{i}" for i in range(config.worker_config.num_instances)]
    for group in (config.master_config, config.worker_config):
        group.disk_config.boot_disk_size_gb = group.disk_config.boot_disk_size_gb or 500
        group.disk_config.boot_disk_type = group.disk_config.boot_disk_type or "pd-standard"
    if not config.gce_cluster_config.zone_uri:
        config.gce_cluster_config.zone_uri = f"{region}-c"
    asked = config.software_config.image_version or "2.2"
    config.software_config.image_version = _VERSIONS.get(asked.partition("-")[0], asked)
    config.software_config.properties["capacity-scheduler:yarn.scheduler.capacity.root.default.ordering-policy"] = (
        "fair"
    )
    cluster = SimulatedCluster(message, clock, clock.now(), fails_with)
    cluster.enter(State.CREATING)
    return cluster


@dataclass(frozen=True)
class Operation:
    """A long-running operation, whose state is that of its cluster."""

    name: str
    cluster: SimulatedCluster
    creates: bool

    def answer(self) -> dict[str, Any]:
        cluster = self.cluster
        metadata = dataproc_v1.ClusterOperationMetadata(
            cluster_name=cluster.name,
            cluster_uuid=cluster.message.cluster_uuid,
            operation_type="CREATE" if self.creates else "DELETE",
        )
        answer: dict[str, Any] = {"name": self.name, "metadata": typed(metadata)}
        if not self.creates:
            done = cluster.gone
            return answer | ({"done": True, "response": {"@type": _EMPTY}} if done else {})
        if cluster.state is State.CREATING:
            return answer
        if cluster.fails_with is not None:
            return answer | {"done": True, "error": {"code": 14, "message": cluster.fails_with}}
        return answer | {"done": True, "response": typed(cluster.message)}


_EMPTY: Final = "type.googleapis.com/google.protobuf.Empty"
