from __future__ import annotations

import pytest

from shardmill.clusters.machine_types import machine_type, machine_types


@pytest.mark.parametrize(
    ("name", "vcpus", "memory_gib", "memory_mb", "egress_gbit_s"),
    [
        ("n1-standard-1", 1, 3.75, 4027, 2),
        ("n1-standard-2", 2, 7.5, 8053, 10),
        ("n1-highcpu-16", 16, 14.4, 15462, 32),
        ("e2-standard-8", 8, 32, 34360, 16),
        ("e2-highmem-2", 2, 16, 17180, 4),
        ("n2-highmem-128", 128, 864, 927713, 32),
        ("n2d-highcpu-224", 224, 224, 240518, 32),
        ("c3-standard-22", 22, 88, 94489, 23),
    ],
)
def test_types_of_the_table(name: str, vcpus: int, memory_gib: float, memory_mb: int, egress_gbit_s: float) -> None:
    kind = machine_type(name)
    assert kind is not None
    assert (kind.vcpus, kind.memory_gib, kind.memory_mb, kind.egress_gbit_s) == (
        vcpus,
        memory_gib,
        memory_mb,
        egress_gbit_s,
    )
    assert kind.family == kind.rate == name.split("-")[0]


def test_names_tell_the_size() -> None:
    for name, kind in machine_types().items():
        family, series, vcpus = name.split("-")
        assert (kind.name, kind.family, kind.vcpus) == (name, family, int(vcpus))
        per_vcpu = kind.memory_gib / kind.vcpus
        assert {"standard": 3.5 <= per_vcpu <= 4, "highmem": 6 <= per_vcpu <= 8, "highcpu": per_vcpu <= 2}[series], name


def test_custom_types_tell_their_size_and_cost_otherwise() -> None:
    kind = machine_type("custom-1-3840")
    assert kind is not None
    assert (kind.vcpus, kind.memory_gib, kind.egress_gbit_s, kind.family, kind.rate) == (
        1,
        3.75,
        None,
        "n1",
        "n1-custom",
    )
    extended = machine_type("n2d-custom-4-65536-ext")
    assert extended is not None
    assert (extended.memory_gib, extended.family, extended.rate) == (64, "n2d", "n2d-custom-ext")


@pytest.mark.parametrize("name", ["", "n1-standard-3", "e2-micro", "custom-2", "N1-standard-2", "n1-standard-2 "])
def test_other_names_are_not_known(name: str) -> None:
    assert machine_type(name) is None
