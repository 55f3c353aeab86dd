"""Ceilings of machines are those of the tables, and unknown ones are none."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from shardmill.clusters.base import NodeSpec
from shardmill.storage.settings import REQUESTS_AT_ONCE
from shardmill.sweep.simulation.caps import READS_AT_ONCE, Caps, caps_of, disk_bytes_per_s, places
from tests.sweep.simulation.planted import shape

NODE = NodeSpec("n1-standard-4", 4, 15_000, boot_disk_type="pd-standard", boot_disk_gb=500)


@pytest.mark.parametrize(
    ("disks", "read", "write"),
    [
        ({}, 0.12 * 500 * 2**20, 0.12 * 500 * 2**20),
        ({"boot_disk_gb": 20_000}, 1200 * 2**20, 400 * 2**20),
        ({"boot_disk_type": "pd-ssd", "boot_disk_gb": 100}, 48 * 2**20, 48 * 2**20),
        ({"local_ssds": 2}, 2 * 664e6, 2 * 352e6),
        ({"local_ssds": 1, "local_ssd_interface": "scsi"}, 390e6, 274e6),
        ({"boot_disk_type": "hyperdisk-balanced"}, math.inf, math.inf),
        ({"boot_disk_type": None}, math.inf, math.inf),
    ],
)
def test_disks(disks: dict[str, object], read: float, write: float) -> None:
    assert disk_bytes_per_s(replace(NODE, **disks)) == pytest.approx((read, write))  # type: ignore[arg-type]


def test_network_is_that_of_the_machine_type() -> None:
    spec = replace(shape(2, 4), worker=NODE)
    caps = caps_of(spec, from_store=True, to_store=False)
    assert (caps.from_store, caps.to_store) == (True, False)
    assert caps.network_bytes_per_s == 10e9 / 8
    local = replace(spec, worker=replace(NODE, machine_type="local"))
    assert caps_of(local, from_store=False, to_store=False).network_bytes_per_s == math.inf


def test_a_request_alone() -> None:
    caps = Caps(from_store=True, latency_s=0.1, stream_bytes_per_s=2e6, store_bytes_per_s=1e6)
    assert caps.request_s(1e5) == pytest.approx(0.2)


def test_where_a_command_reads_and_writes() -> None:
    assert places(("prepare", "gs://bucket/photos", "shards", "--engine", "spark")) == (True, False)
    assert places(("prepare", "photos", "s3://bucket/shards")) == (False, True)
    assert places(("doctor",)) == (False, False)


def test_reads_at_once_are_those_of_the_stores() -> None:
    assert READS_AT_ONCE == REQUESTS_AT_ONCE
