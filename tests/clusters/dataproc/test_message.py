from __future__ import annotations

from dataclasses import replace

import pytest

from shardmill.clusters.base import ClusterSpec, NodeSpec
from shardmill.clusters.limits import IMAGES
from shardmill.clusters.plain import plain_spec, spec_of
from shardmill.errors import UsageError
from tests.clusters.dataproc.shapes import SMALL, dataproc_spec
from tests.extras import needed

needed("google.cloud.dataproc_v1")

from google.cloud import dataproc_v1

from shardmill.clusters.dataproc.config import CloudConfig
from shardmill.clusters.dataproc.message import PYTHON_OF_IMAGES, cluster_message, cluster_of, is_ours, python_of
from tests.dataproc_server import rules

CONFIG = CloudConfig("p", "europe-west4", "b", subnetwork="inner", service_account="x@p.iam.gserviceaccount.com")
FAST = NodeSpec("n2-standard-4", 4, 16000, "pd-ssd", 200, local_ssds=2, local_ssd_interface="scsi")
FULL = ClusterSpec(
    "Big.One",
    "dataproc",
    FAST,
    3,
    SMALL,
    zone="europe-west4-b",
    image_version="2.3-debian12",
    properties={"spark:spark.executor.cores": "1"},
    labels={"team": "vision"},
    idle_delete_s=700,
    max_age_s=4000,
)


def message(spec: ClusterSpec) -> dataproc_v1.Cluster:
    made = dataproc_v1.Cluster(cluster_message(spec, "c", CONFIG, "gs://b/install.sh"))
    rules.enforce(rules.CLUSTER_RULES, made)
    return made


def test_everything_of_a_spec_is_asked_for() -> None:
    made = message(FULL)
    inner = made.config
    assert inner.worker_config.num_instances == 3
    disk = inner.worker_config.disk_config
    assert (disk.boot_disk_type, disk.boot_disk_size_gb, disk.num_local_ssds, disk.local_ssd_interface) == (
        "pd-ssd",
        200,
        2,
        "scsi",
    )
    assert inner.master_config.machine_type_uri == "n1-standard-2"
    assert inner.gce_cluster_config.zone_uri == "europe-west4-b"
    assert inner.gce_cluster_config.subnetwork_uri == "inner"
    assert inner.gce_cluster_config.service_account == "x@p.iam.gserviceaccount.com"
    assert inner.software_config.image_version == "2.3-debian12"
    assert inner.lifecycle_config.idle_delete_ttl.total_seconds() == 700
    assert inner.lifecycle_config.auto_delete_ttl.total_seconds() == 4000
    assert dict(made.labels) == {"team": "vision", "made-by": "shardmill", "shardmill-shape": "shape-big-one"}
    properties = inner.software_config.properties
    assert properties["spark:spark.dynamicAllocation.enabled"] == "false"
    assert properties["spark:spark.executor.instances"] == "3"
    assert properties["spark:spark.executor.cores"] == "1"  # the user's own word goes before ours
    assert inner.initialization_actions[0].executable_file == "gs://b/install.sh"


def test_single_node() -> None:
    made = message(dataproc_spec(workers=0))
    assert made.config.worker_config.num_instances == 0
    assert made.config.software_config.properties["dataproc:dataproc.allow.zero.workers"] == "true"
    assert made.config.software_config.properties["spark:spark.executor.instances"] == "1"


@pytest.mark.parametrize("spec", [FULL, dataproc_spec(), dataproc_spec(workers=0)])
def test_executors_fit_into_what_the_machines_have(spec: ClusterSpec) -> None:
    properties = message(spec).config.software_config.properties
    heap = int(properties["spark:spark.executor.memory"].removesuffix("m"))
    whole = heap + int(properties["spark:spark.executor.memoryOverhead"].removesuffix("m"))
    assert 896 <= whole <= spec.task_node.memory_mb * 0.46
    assert whole + 1024 <= spec.task_node.memory_mb * 0.8  # beside the application's master


@pytest.mark.parametrize("spec", [FULL, dataproc_spec(workers=0), replace(dataproc_spec(), usd_per_hour=0.5)])
def test_the_spec_comes_back_from_the_message(spec: ClusterSpec) -> None:
    assert spec_of(plain_spec(spec)) == spec
    made = message(spec)
    made.status = dataproc_v1.ClusterStatus(state="RUNNING", state_start_time={"seconds": 50})
    made.status_history = [dataproc_v1.ClusterStatus(state="CREATING", state_start_time={"seconds": 10})]
    told = cluster_of(made, CONFIG)
    assert told.spec == spec
    assert (told.state, told.created_at, told.ready_at, told.expires_at) == ("ready", 10.0, 50.0, 10.0 + spec.max_age_s)


def test_a_cluster_is_ours_only_with_label_and_spec() -> None:
    made = message(dataproc_spec())
    assert is_ours(made)
    del made.labels["made-by"]
    assert not is_ours(made)


def test_python_of_images() -> None:
    assert tuple(PYTHON_OF_IMAGES) == IMAGES
    assert python_of(dataproc_spec()) == "3.11"
    assert python_of(replace(dataproc_spec(), image_version="2.3.13-debian12")) == "3.11"
    with pytest.raises(UsageError, match=r"does not run on the image 1\.5"):
        python_of(replace(dataproc_spec(), image_version="1.5-debian10"))
