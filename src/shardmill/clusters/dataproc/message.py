"""From a spec to what Dataproc is asked for, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shardmill.clusters.base import Cluster, ClusterSpec, ClusterState, NodeSpec, Role
from shardmill.clusters.dataproc.config import CloudConfig
from shardmill.clusters.dataproc.service import MARK
from shardmill.clusters.plain import plain_spec, spec_of
from shardmill.errors import UsageError

IMAGE: Final = "2.2-debian12"
"""Where the spec names none."""
PYTHON_OF_IMAGES: Final[Mapping[str, str]] = {"2.2": "3.11", "2.3": "3.11"}
"""The Python of each line of images that we run on."""

INSTALLED: Final = "/opt/shardmill"
"""Where a machine's virtual environment lies."""

LEAST_MEMORY_MB: Final = 3600
"""Of a machine that runs tasks: YARN's daemons, the application's master and an executor must fit."""

_SPEC_KEY: Final = "shardmill-spec"
_ZERO_WORKERS: Final = "dataproc:dataproc.allow.zero.workers"
_INSTALL_TIMEOUT_S: Final = 600
_LEAST_HEAP_MB: Final = 512
_MOST_HEAP_MB: Final = 2048
_EXECUTOR_SHARE: Final = 0.45
"""Of a node's memory, for its executor with the Python workers: YARN hands out about four fifths, of which the
application's master takes 1 GB on one of the nodes, and a single node runs the daemons too."""
_STATES: Final[Mapping[str, ClusterState]] = {
    "CREATING": "starting",
    "STARTING": "starting",
    "RUNNING": "ready",
    "UPDATING": "ready",
    "DELETING": "ending",
    "STOPPING": "ending",
    "STOPPED": "ending",
}


def image_of(spec: ClusterSpec) -> str:
    """The image version asked for."""
    return spec.image_version or IMAGE


def python_of(spec: ClusterSpec) -> str:
    """The Python on its machines, as in `3.11`."""
    line = ".".join(image_of(spec).partition("-")[0].split(".")[:2])
    if line not in PYTHON_OF_IMAGES:
        lines = " or ".join(f"{line}-debian12" for line in sorted(PYTHON_OF_IMAGES))
        raise UsageError(f"shardmill does not run on the image {spec.image_version}; set `image` to {lines}.")
    return PYTHON_OF_IMAGES[line]


def cluster_message(spec: ClusterSpec, name: str, config: CloudConfig, install_url: str) -> dict[str, Any]:
    """The `Cluster` to create, with limits that end it without us."""
    properties = {f"spark:{key}": value for key, value in spark_settings(spec).items()}
    if spec.workers == 0:
        properties[_ZERO_WORKERS] = "true"
    machine: dict[str, Any] = {
        "metadata": {_SPEC_KEY: json.dumps(plain_spec(spec))},
        "service_account_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
    }
    if spec.zone is not None:
        machine["zone_uri"] = spec.zone
    if config.subnetwork is not None:
        machine["subnetwork_uri"] = config.subnetwork
    if config.service_account is not None:
        machine["service_account"] = config.service_account
    message: dict[str, Any] = {
        "project_id": config.project,
        "cluster_name": name,
        "labels": {**spec.labels, MARK[0]: MARK[1], "shardmill-shape": _label(spec.name)},
        "config": {
            "config_bucket": config.bucket,
            "temp_bucket": config.bucket,
            "gce_cluster_config": machine,
            "master_config": _group(spec.master, 1),
            "software_config": {"image_version": image_of(spec), "properties": properties | dict(spec.properties)},
            "initialization_actions": [
                {"executable_file": install_url, "execution_timeout": {"seconds": _INSTALL_TIMEOUT_S}}
            ],
            "lifecycle_config": {
                "idle_delete_ttl": {"seconds": spec.idle_delete_s},
                "auto_delete_ttl": {"seconds": spec.max_age_s},
            },
        },
    }
    if spec.workers:
        message["config"]["worker_config"] = _group(spec.worker, spec.workers)
    return message


def spark_settings(spec: ClusterSpec) -> dict[str, str]:
    """One executor a node with all of its cores, all there before the first task: so two runs on one shape are alike.

    The heap is small, for images are worked on outside of the JVM.
    """
    node = spec.task_node
    memory_mb = int(node.memory_mb * _EXECUTOR_SHARE)
    heap_mb = min(max(memory_mb // 3, _LEAST_HEAP_MB), _MOST_HEAP_MB)
    return {
        "spark.dynamicAllocation.enabled": "false",
        "spark.executor.cores": str(node.cores),
        "spark.executor.instances": str(spec.task_nodes),
        "spark.executor.memory": f"{heap_mb}m",
        "spark.executor.memoryOverhead": f"{max(memory_mb - heap_mb, 384)}m",
        "spark.pyspark.driver.python": f"{INSTALLED}/bin/python",
        "spark.pyspark.python": f"{INSTALLED}/bin/python",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    }


def cluster_of(message: Any, config: CloudConfig) -> Cluster:  # noqa: ANN401  # google's message
    """A cluster as Dataproc tells it."""
    spec = read_spec(message)
    assert spec is not None, "only clusters that carry their spec come here"
    since = _state_starts(message)
    created_at = min((moment for _, moment in since), default=0.0)
    name = str(message.cluster_name)
    groups: tuple[tuple[Role, Any], ...] = (
        ("master", message.config.master_config),
        ("worker", message.config.worker_config),
    )
    zone = str(message.config.gce_cluster_config.zone_uri).rpartition("/")[2]
    return Cluster(
        name=name,
        provider="dataproc",
        spec=spec,
        state=state_of(message),
        created_at=created_at,
        ready_at=min((moment for state, moment in since if state == "RUNNING"), default=None),
        expires_at=created_at + spec.max_age_s,
        nodes={str(node): role for role, group in groups for node in group.instance_names},
        address=f"https://console.cloud.google.com/dataproc/clusters/{name}?region={config.region}&project={config.project}",
        facts={
            "project": config.project,
            "region": config.region,
            "zone": zone,
            "image": str(message.config.software_config.image_version),
            "uuid": str(message.cluster_uuid),
        },
    )


def state_of(message: Any) -> ClusterState:  # noqa: ANN401
    return _STATES.get(message.status.state.name, "broken")


def is_ours(message: Any) -> bool:  # noqa: ANN401
    """Whether we made it, and may delete it."""
    return message.labels.get(MARK[0]) == MARK[1] and _SPEC_KEY in message.config.gce_cluster_config.metadata


def read_spec(message: Any) -> ClusterSpec | None:  # noqa: ANN401
    """What it was made from; None for a cluster that is not ours."""
    return spec_of(json.loads(message.config.gce_cluster_config.metadata[_SPEC_KEY])) if is_ours(message) else None


def _state_starts(message: Any) -> list[tuple[str, float]]:  # noqa: ANN401
    statuses = [*message.status_history, message.status]
    return [(status.state.name, status.state_start_time.timestamp()) for status in statuses]


def _group(node: NodeSpec, count: int) -> dict[str, Any]:
    return {"num_instances": count, "machine_type_uri": node.machine_type, "disk_config": dict(_disk(node))}


def _disk(node: NodeSpec) -> Iterator[tuple[str, Any]]:
    if node.boot_disk_type is not None:
        yield "boot_disk_type", node.boot_disk_type
    if node.boot_disk_gb:
        yield "boot_disk_size_gb", node.boot_disk_gb
    if node.local_ssds:
        yield "num_local_ssds", node.local_ssds
        yield "local_ssd_interface", node.local_ssd_interface


def _label(text: str) -> str:
    """As near to `text` as a label's value can be: it begins with a letter."""
    return f"shape-{re.sub(r'[^a-z0-9_-]+', '-', text.lower())}"[:63].rstrip("-_")
