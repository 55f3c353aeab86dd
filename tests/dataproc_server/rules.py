"""What the documentation says a request may hold, each rule with its source, so that the server can say no.

Sources: `proto` is the documentation of the field in google-cloud-dataproc 5.32 (`dataproc_v1/types`), which is that of the
REST reference; `machines` is cloud.google.com/dataproc/docs/concepts/compute/supported-machine-types; `properties` is
cloud.google.com/dataproc/docs/concepts/configuring-clusters/cluster-properties; `gcloud` is the reference of
`gcloud dataproc clusters create`; `versions` is cloud.google.com/dataproc/docs/concepts/versioning/dataproc-versions;
`single` is cloud.google.com/dataproc/docs/concepts/configuring-clusters/single-node-clusters;
`disks` is cloud.google.com/compute/docs/disks/local-ssd.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.dataproc_server.wire import ApiError

_MINUTE, _DAY = 60.0, 86400.0
_LABEL: Final = re.compile(r"[a-z]([-a-z0-9_]{0,61}[a-z0-9])?")
_PREFIXES: Final = frozenset(
    [
        "capacity-scheduler",
        "core",
        "dataproc",
        "dataproc.agent",
        "dataproc.logging",
        "distcp",
        "flink",
        "flink-log4j",
        "hadoop-env",
        "hadoop-log4j",
        "hbase",
        "hbase-log4j",
        "hdfs",
        "hive",
        "hive-log4j2",
        "hudi",
        "iceberg",
        "mapred",
        "mapred-env",
        "pig",
        "pig-log4j",
        "presto",
        "presto-jvm",
        "ranger-admin",
        "solr",
        "spark",
        "spark-env",
        "spark-log4j",
        "tez",
        "trino",
        "yarn",
        "yarn-env",
        "zeppelin",
        "zeppelin-env",
        "zookeeper",
    ]
)
_FAMILIES: Final = frozenset(["n1", "n2", "n2d", "e2", "c2", "c2d", "c3", "c4", "c4a", "m1", "m2", "n4", "n4d", "t2a"])
_SHARED_CORE: Final = frozenset({"e2-micro", "e2-small", "e2-medium", "f1-micro", "g1-small"})
_DISK_TYPES: Final = frozenset({"", "pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"})
_IMAGES: Final = frozenset({"2.1", "2.2", "2.3", "3.0"})
_CUSTOM: Final = re.compile(r"(?:(?P<family>[a-z0-9]+)-)?custom-(?P<cores>\d+)-(?P<memory>\d+)(?:-ext)?")
_PREDEFINED: Final = re.compile(
    r"(?P<family>[a-z]\d[a-z]?)-(standard|highmem|highcpu|megamem|ultramem)-(?P<cores>\d+)(-lssd)?"
)
_ZERO_WORKERS: Final = "dataproc:dataproc.allow.zero.workers"


@dataclass(frozen=True)
class Rule:
    """One sentence of the documentation, as a check that yields what is wrong."""

    source: str
    violations: Callable[[Any], Iterator[str]]


def cores_of(machine_type: str) -> int:
    """vCPUs, as the name of a machine type tells them."""
    name = machine_type.rpartition("/")[2]
    match = _CUSTOM.fullmatch(name) or _PREDEFINED.fullmatch(name)
    return int(match["cores"]) if match else 1


def groups(cluster: Any) -> Iterator[tuple[str, Any]]:
    for name in ("master_config", "worker_config"):
        group = getattr(cluster.config, name)
        if group.num_instances:
            yield name, group


def _name(cluster: Any) -> Iterator[str]:
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,49}[a-z0-9])?", cluster.cluster_name):
        yield f"Invalid cluster name '{cluster.cluster_name}'"


def _labels(labelled: Any) -> Iterator[str]:
    if len(labelled.labels) > 32:
        yield "No more than 32 labels can be associated"
    for key, value in labelled.labels.items():
        if not _LABEL.fullmatch(key):
            yield f"Invalid label key '{key}'"
        if value and not _LABEL.fullmatch(value):
            yield f"Invalid label value '{value}'"


def _lifetimes(cluster: Any) -> Iterator[str]:
    lifecycle = cluster.config.lifecycle_config
    for field, least in (("idle_delete_ttl", 5), ("auto_delete_ttl", 10), ("idle_stop_ttl", 5), ("auto_stop_ttl", 10)):
        known = field in type(lifecycle).meta.fields  # older messages cannot stop clusters
        if (
            known
            and field in lifecycle
            and not least * _MINUTE <= getattr(lifecycle, field).total_seconds() <= 14 * _DAY
        ):
            yield f"{field} must be between {least} minutes and 14 days"


def _one_kind(cluster: Any) -> Iterator[str]:
    if "config" not in cluster or "virtual_cluster_config" in cluster:
        yield "Exactly one of ClusterConfig or VirtualClusterConfig must be specified"


def _masters(cluster: Any) -> Iterator[str]:
    if cluster.config.master_config.num_instances not in (0, 1, 3):
        yield "master_config.num_instances must be 1, or 3 for a cluster of high availability"


def _workers(cluster: Any) -> Iterator[str]:
    workers = cluster.config.worker_config.num_instances
    zero_allowed = cluster.config.software_config.properties.get(_ZERO_WORKERS) == "true"
    if workers < 2 and not (workers == 0 and zero_allowed):
        yield f"Clusters need at least 2 primary workers, {workers} requested; or 0 with {_ZERO_WORKERS}=true"


def _single_node(cluster: Any) -> Iterator[str]:
    zero_allowed = cluster.config.software_config.properties.get(_ZERO_WORKERS) == "true"
    if zero_allowed and cluster.config.worker_config.num_instances:
        yield f"{_ZERO_WORKERS} is for clusters without workers"


def _machine_types(cluster: Any) -> Iterator[str]:
    for _, group in groups(cluster):
        name = group.machine_type_uri.rpartition("/")[2]
        if name in _SHARED_CORE:
            yield f"Machine type '{name}' with a shared core is not supported"
            continue
        if name == "n1-standard-1":
            yield "Machine type 'n1-standard-1' is not supported on images 2.0 and later"
            continue
        match = _CUSTOM.fullmatch(name) or _PREDEFINED.fullmatch(name)
        if match is None or (match["family"] or "n1") not in _FAMILIES:
            yield f"Invalid value for machine type '{name}'"


def _disks(cluster: Any) -> Iterator[str]:
    for _, group in groups(cluster):
        disk, machine = group.disk_config, group.machine_type_uri.rpartition("/")[2]
        if disk.boot_disk_type.rpartition("/")[2] not in _DISK_TYPES:
            yield f"Unknown disk type '{disk.boot_disk_type}'"
        if disk.boot_disk_size_gb and disk.boot_disk_size_gb < 10:
            yield "The minimum size of a boot disk is 10 GB"
        if not 0 <= disk.num_local_ssds <= 8:
            yield "Number of attached local SSDs must be from 0 to 8"
        if disk.local_ssd_interface not in ("", "scsi", "nvme"):
            yield f"Unknown interface of local SSDs '{disk.local_ssd_interface}'"
        if disk.num_local_ssds and machine.startswith("e2-"):
            yield f"Local SSDs cannot be attached to '{machine}'"
        if (disk.boot_disk_provisioned_iops or disk.boot_disk_provisioned_throughput) and (
            disk.boot_disk_type != "hyperdisk-balanced"
        ):
            yield "Provisioned IOPS and throughput are supported for hyperdisk-balanced only"


def _image(cluster: Any) -> Iterator[str]:
    version = cluster.config.software_config.image_version
    match = re.fullmatch(r"(\d\.\d)(\.\d+)?(-(debian|ubuntu|rocky|ml-ubuntu)\d*)?", version)
    if version and (match is None or match[1] not in _IMAGES):
        yield f"Selected software image version '{version}' is not supported"


def _properties(cluster: Any) -> Iterator[str]:
    for key in cluster.config.software_config.properties:
        prefix, colon, name = key.partition(":")
        if not colon or not name or prefix not in _PREFIXES:
            yield f"Invalid property key '{key}'; the form is PREFIX:PROPERTY"


def _zone(cluster: Any) -> Iterator[str]:
    zone = cluster.config.gce_cluster_config.zone_uri.rpartition("/")[2]
    if zone and not re.fullmatch(r"[a-z]+-[a-z]+\d+-[a-f]", zone):
        yield f"Invalid zone '{zone}'"


def _actions(cluster: Any) -> Iterator[str]:
    for action in cluster.config.initialization_actions:
        if not action.executable_file.startswith("gs://"):
            yield f"Initialization action '{action.executable_file}' is not a Cloud Storage URI"


CLUSTER_RULES: Final = (
    Rule("proto Cluster.cluster_name", _name),
    Rule(
        "proto Cluster.labels, RFC 1035 (underscores: cloud.google.com/dataproc/docs/guides/creating-managing-labels)",
        _labels,
    ),
    Rule("proto LifecycleConfig", _lifetimes),
    Rule("proto Cluster.config", _one_kind),
    Rule("proto InstanceGroupConfig.num_instances", _masters),
    Rule("proto ClusterConfig.ClusterType.STANDARD", _workers),
    Rule("single", _single_node),
    Rule("machines", _machine_types),
    Rule("proto DiskConfig; smallest boot disk: gcloud --master-boot-disk-size; e2: disks", _disks),
    Rule("versions", _image),
    Rule("properties", _properties),
    Rule("proto GceClusterConfig.zone_uri", _zone),
    Rule("proto NodeInitializationAction.executable_file", _actions),
)


def _job_id(job: Any) -> Iterator[str]:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", job.reference.job_id):
        yield f"Invalid job id '{job.reference.job_id}'"


def _script(job: Any) -> Iterator[str]:
    if "pyspark_job" not in job:
        yield "This server runs PySpark jobs only"
    elif not job.pyspark_job.main_python_file_uri.endswith(".py"):
        yield "main_python_file_uri must be a .py file"


def _scheduling(job: Any) -> Iterator[str]:
    if job.scheduling.max_failures_per_hour > 10 or job.scheduling.max_failures_total > 240:
        yield "max_failures_per_hour is at most 10 and max_failures_total at most 240"


JOB_RULES: Final = (
    Rule("proto JobReference.job_id", _job_id),
    Rule("proto PySparkJob.main_python_file_uri", _script),
    Rule("proto JobScheduling", _scheduling),
    Rule("proto Job.labels, RFC 1035", _labels),
)


def enforce(rules: tuple[Rule, ...], message: Any) -> None:
    """Refuse `message` with everything that is wrong with it."""
    violations = [text for rule in rules for text in rule.violations(message)]
    if len(violations) == 1:
        raise ApiError("INVALID_ARGUMENT", violations[0])
    if violations:
        raise ApiError("INVALID_ARGUMENT", "Multiple validation errors:\n - " + "\n - ".join(violations))


def enforce_request_id(text: str) -> None:
    """proto CreateClusterRequest.request_id, SubmitJobRequest.request_id."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,40}", text):
        raise ApiError("INVALID_ARGUMENT", f"Invalid request id '{text}'")
