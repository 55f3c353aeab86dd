from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shardmill.clusters.base import ClusterSpec, NodeSpec
from shardmill.clusters.limits import Quotas, objections
from shardmill.clusters.presets import PRESETS
from shardmill.clusters.specfile import from_preset

CLOUD_PRESETS = [name for name, preset in PRESETS.items() if preset.shape["provider"] == "dataproc"]
FREE_TRIAL = Quotas(cpus_left=8, ssd_gb_left=500, disk_gb_left=2000, local_ssd_gb_left=0, addresses_left=4)


def changed(**changes: Any) -> ClusterSpec:
    return replace(from_preset("four-by-2"), **changes)


def worker(**changes: Any) -> ClusterSpec:
    return changed(worker=replace(from_preset("four-by-2").worker, **changes))


@pytest.mark.parametrize("name", CLOUD_PRESETS)
def test_nothing_is_known_against_the_presets(name: str) -> None:
    assert objections(from_preset(name)) == []
    assert objections(from_preset(name), Quotas()) == []


def test_what_fits_a_free_trial() -> None:
    assert {name for name in CLOUD_PRESETS if not objections(from_preset(name), FREE_TRIAL)} == {
        "single-8-ssd",
        "four-by-2",
    }
    assert objections(from_preset("master-7-workers"), replace(FREE_TRIAL, addresses_left=None)) == [
        (
            "It takes 16 vCPUs and the project's quota leaves 8; set `workers` to 3, or ask for more under IAM & Admin, Quotas "
            "(CPUS)."
        )
    ]
    assert objections(from_preset("single-16"), FREE_TRIAL) == [
        (
            "It takes 16 vCPUs and the project's quota leaves 8; take fewer or smaller machines, or ask for more under IAM & "
            "Admin, Quotas (CPUS)."
        )
    ]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (changed(workers=1), "Dataproc makes no cluster with 1 worker; set `workers` to 0"),
        (changed(workers=-1), "Dataproc makes no cluster with -1 workers"),
        (changed(image_version="2.1-debian11"), "set `image` to 2.2-debian12 or 2.3-debian12."),
        (changed(image_version="latest"), "shardmill does not run on the image latest"),
        (changed(region="us-central"), "'us-central' is no region; set `region` to one like us-central1."),
        (changed(zone="b"), "'b' is no zone; set `zone` to one like us-central1-b, or leave it out."),
        (changed(region="us-east1", zone="us-west1-b"), "The zone us-west1-b is not in the region us-east1"),
        (
            changed(idle_delete_s=299),
            "`idle_delete` is 4 min 59 s, and Dataproc takes 5 minutes to 14 days; set it to 30m",
        ),
        (changed(max_age_s=599), "`max_age` is 9 min 59 s, and Dataproc takes 10 minutes to 14 days; set it to 4h"),
        (changed(max_age_s=14 * 86_400 + 1), "and Dataproc takes 10 minutes to 14 days"),
        (changed(labels={"Team": "vision"}), "Team=vision is no label; its name and value take small letters"),
        (changed(labels={"team": "1a"}), "team=1a is no label"),
        (changed(labels={"a" * 64: ""}), "is no label; its name and value take small letters"),
        (changed(labels={f"l{n}": "" for n in range(31)}), "31 labels are too many; Dataproc takes 30 beside our own"),
        (changed(properties={"spark.executor.memory": "1g"}), "'spark.executor.memory' is no property of a cluster"),
        (
            worker(machine_type="e2-medium"),
            "Dataproc takes no machines with a shared core, such as e2-medium; set `worker`",
        ),
        (worker(machine_type="n1-standard-1"), "Images from 2.0 on do not run on n1-standard-1; set `worker` to"),
        (
            worker(machine_type="a2-highgpu-1g"),
            "Dataproc takes no a2 machines, such as a2-highgpu-1g; it takes c2, c2d,",
        ),
        (worker(boot_disk_gb=0), "The boot disk of the worker has no size, and Dataproc would make it of 500 GB"),
        (worker(boot_disk_gb=9), "A boot disk has 10 GB at least, not 9; set `disk: {size: 100GB}`"),
        (worker(local_ssds=9), "n1-standard-2 takes 1 to 8 local SSDs, not 9"),
        (worker(machine_type="e2-standard-2", local_ssds=1), "No local SSDs can be added to e2-standard-2; leave"),
        (worker(machine_type="c3-standard-4", local_ssds=1), "No local SSDs can be added to c3-standard-4; leave"),
        (
            worker(machine_type="n2-standard-16", cores=16, local_ssds=1),
            "n2-standard-16 takes 2 or 4 or 8 local SSDs, not 1",
        ),
        (
            worker(machine_type="n2d-standard-64", cores=64, local_ssds=2),
            "n2d-standard-64 takes 4 or 8 local SSDs, not 2",
        ),
        (
            worker(machine_type="n2-standard-96", cores=96, local_ssds=8),
            "n2-standard-96 takes more local SSDs than the 8 that Dataproc adds; leave",
        ),
    ],
)
def test_what_is_refused(spec: ClusterSpec, sentence: str) -> None:
    (said,) = objections(spec)
    assert sentence in said
    assert said.endswith(".")


@pytest.mark.parametrize(
    "spec",
    [
        changed(workers=0),
        changed(workers=2),
        changed(image_version="2.3.13-debian12"),
        changed(image_version=None),
        changed(region="europe-west10", zone="europe-west10-c"),
        changed(idle_delete_s=300, max_age_s=600),
        changed(idle_delete_s=14 * 86_400, max_age_s=14 * 86_400),
        changed(labels={"a": "", "b-c_d": "e9"}),
        changed(properties={"spark:spark.executor.memory": "1g", "capacity-scheduler:yarn.x": "y"}),
        worker(boot_disk_gb=10),
        worker(machine_type="n1-standard-2", local_ssds=3),
        worker(machine_type="n2-standard-2", local_ssds=1),
        worker(machine_type="n2d-standard-16", cores=16, local_ssds=1),
        worker(machine_type="custom-2-8192"),
        worker(machine_type="c2-standard-8", cores=8, local_ssds=1),
    ],
)
def test_what_is_allowed(spec: ClusterSpec) -> None:
    assert objections(spec) == []


def test_a_worker_that_is_not_there_is_not_checked() -> None:
    assert objections(replace(worker(machine_type="e2-micro"), workers=0)) == []


def test_what_holds_for_master_and_workers_is_told_once() -> None:
    strange = replace(from_preset("four-by-2").worker, machine_type="a2-highgpu-1g")
    assert len(objections(changed(master=strange, worker=strange))) == 1


def test_everything_is_told_at_once() -> None:
    bad = NodeSpec("n1-standard-1", 1, 3750)
    said = objections(ClusterSpec("bad", "dataproc", bad, 1, bad, idle_delete_s=1))
    assert [sentence.split(";")[0].split(",")[0] for sentence in said] == [
        "Dataproc makes no cluster with 1 worker",
        "`idle_delete` is 1.0 s",
        "Images from 2.0 on do not run on n1-standard-1",
        "The boot disk of the master has no size",
        "Images from 2.0 on do not run on n1-standard-1",
        "The boot disk of the worker has no size",
    ]


@pytest.mark.parametrize(
    ("spec", "quotas", "sentence"),
    [
        (
            changed(),
            Quotas(ssd_gb_left=250),
            (
                "It takes 400 GB of SSD disks and the project's quota leaves 250; set `disk: {size: 62GB}`, "
                "`disk: {type: pd-standard}`, or ask for more under IAM & Admin, Quotas (SSD_TOTAL_GB)."
            ),
        ),
        (
            changed(),
            Quotas(ssd_gb_left=10),
            "It takes 400 GB of SSD disks and the project's quota leaves 10; set `disk: {type: pd-standard}`, or ask",
        ),
        (
            worker(boot_disk_type="pd-standard", boot_disk_gb=200),
            Quotas(ssd_gb_left=100, disk_gb_left=599),
            "It takes 600 GB of standard disks and the project's quota leaves 599; set a smaller `disk`",
        ),
        (
            worker(local_ssds=2),
            Quotas(local_ssd_gb_left=2000),
            "It takes 2250 GB of local SSDs and the project's quota leaves 2000; lower `local_ssds`",
        ),
        (
            changed(),
            Quotas(addresses_left=3),
            "It takes 4 external IP addresses and the project's quota leaves 3; take fewer",
        ),
        (
            changed(),
            Quotas(cpus_left=5),
            "It takes 8 vCPUs and the project's quota leaves 5; take fewer or smaller machines",
        ),
    ],
)
def test_what_is_beyond_a_quota(spec: ClusterSpec, quotas: Quotas, sentence: str) -> None:
    (said,) = objections(spec, quotas)
    assert said.startswith(sentence)


@pytest.mark.parametrize("spec", [changed(workers=-1), worker(cores=0)])
def test_a_spec_that_is_no_cluster_breaks_nothing(spec: ClusterSpec) -> None:
    assert all(sentence.endswith(".") for sentence in objections(spec, FREE_TRIAL))


def test_a_quota_may_be_used_up_to_its_end() -> None:
    assert objections(changed(), Quotas(cpus_left=8, ssd_gb_left=400, addresses_left=4)) == []
