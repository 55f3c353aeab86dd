from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shardmill.clusters.base import ClusterSpec, NodeSpec
from shardmill.sweep.evidence import RunSeen
from shardmill.sweep.limits import Limits, MachineCaps, known_caps, limits_of, typical
from tests.sweep.made import rows, run_of, shape


def found(spec: ClusterSpec, run: RunSeen, caps: MachineCaps | None = None) -> Limits:
    (row,) = rows([spec], [run])
    return limits_of(row, run, caps)


def test_parts_are_shared_out_without_a_rest() -> None:
    spec = shape()
    limits = found(spec, run_of(spec, before_s=2, elapsed_s=10, tasks=(2, 2, 2, 2), cpu_share=0.75))
    assert sum(limits.parts.values()) == pytest.approx(1)
    assert limits.parts["start-up"] == pytest.approx(0.6)
    assert limits.parts["processor"] == pytest.approx(0.3)
    assert limits.parts["waiting"] == pytest.approx(0.1)
    assert limits.parts["too few tasks"] == limits.parts["uneven tasks"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("case", "share", "run"),
    [
        ("start-up", 0.6, {"before_s": 4, "elapsed_s": 10, "tasks": (4, 4)}),
        ("processor", 0.72, {"before_s": 2, "elapsed_s": 10, "tasks": (4, 4, 4, 4), "cpu_share": 0.9}),
        ("waiting", 0.56, {"before_s": 2, "elapsed_s": 10, "tasks": (4, 4, 4, 4), "cpu_share": 0.3}),
        ("too few tasks", 0.45, {"before_s": 1, "elapsed_s": 10, "tasks": (9,), "cpu_share": 1.0}),
        ("uneven tasks", 0.4, {"before_s": 1, "elapsed_s": 10, "tasks": (9, 1), "cpu_share": 0.5}),
    ],
)
def test_the_largest_part_limits(case: str, share: float, run: dict[str, Any]) -> None:
    spec = shape()
    limits = found(spec, run_of(spec, **run))
    assert limits.limit == case
    assert limits.share == pytest.approx(share)


def test_what_executors_do_beside_their_tasks_takes_nothing_from_these() -> None:
    spec = shape()
    parts = found(spec, run_of(spec, before_s=2, elapsed_s=10, tasks=(4, 4, 4, 4), cpu_share=1.4)).parts
    assert parts["processor"] == pytest.approx(0.8)
    assert parts["waiting"] == pytest.approx(0)
    assert sum(parts.values()) == pytest.approx(1)


def test_network_and_disk_limit_when_they_are_near_what_machines_carry() -> None:
    spec = shape()
    run = run_of(spec, before_s=1, elapsed_s=10, tasks=(4, 4, 4, 4), cpu_share=0.4, network=100e6, disk=10e6)
    free = found(spec, run)
    assert free.limit == "waiting"
    assert free.network_share is free.disk_share is None
    assert free.network_bytes_per_s == pytest.approx(200e6)
    assert free.disk_bytes_per_s == pytest.approx(20e6)
    full = found(spec, run, MachineCaps(network_in=60e6, network_out=500e6, disk_read=500e6))
    assert full.limit == "network"
    assert full.share == pytest.approx(50 / 60)
    assert found(spec, run, MachineCaps(network_in=70e6)).limit == "waiting"  # 71 %
    assert found(spec, run, MachineCaps(disk_write=5.5e6)).limit == "disk"


def test_a_full_network_is_not_what_limits_a_run_that_is_starting_up() -> None:
    spec = shape()
    run = run_of(spec, before_s=8, elapsed_s=10, tasks=(1, 1), cpu_share=0.4, network=100e6)
    assert found(spec, run, MachineCaps(network_in=51e6)).limit == "start-up"


def test_without_a_log_only_what_is_full_can_be_told() -> None:
    spec = shape()
    whole: dict[str, Any] = {"before_s": 0, "elapsed_s": 10, "tasks": (10, 10), "logged": False}
    assert found(spec, run_of(spec, cpu_share=0.9, **whole)).limit == "processor"
    assert found(spec, run_of(spec, cpu_share=0.5, **whole)).limit == "not known"
    network = found(spec, run_of(spec, cpu_share=0.5, network=100e6, **whole), MachineCaps(network_out=55e6))
    assert network.limit == "network"
    assert network.parts == {}


def test_without_samples_losses_are_told_and_nothing_else() -> None:
    spec = shape()
    lost = found(spec, run_of(spec, before_s=6, elapsed_s=10, tasks=(3, 3), sampled=False))
    assert (lost.limit, round(lost.share, 3)) == ("start-up", 0.7)
    assert lost.parts.keys() == {"start-up", "too few tasks", "uneven tasks", "in tasks"}
    assert sum(lost.parts.values()) == pytest.approx(1)
    busy = found(spec, run_of(spec, before_s=1, elapsed_s=10, tasks=(8, 8), sampled=False))
    assert busy.limit == "not known"
    assert busy.network_bytes_per_s is None


def test_samples_of_a_minute_do_not_speak_for_seconds_in_it() -> None:
    spec = shape()
    run = run_of(spec, before_s=1, elapsed_s=60, tasks=(20, 20), cpu_share=1.0)
    minutes = tuple(
        replace(run.usage[node], seconds=60.0, cpu_s=20.0, start=run.outcome.started_at) for node in range(2)
    )
    assert "in tasks" in found(spec, replace(run, usage=minutes)).parts
    long = run_of(spec, before_s=1, elapsed_s=60, tasks=(50, 50), cpu_share=1.0)
    assert "processor" in found(spec, replace(long, usage=minutes)).parts


def test_the_verdict_of_repetitions_is_that_of_most() -> None:
    spec = shape()
    slow = run_of(spec, before_s=6, elapsed_s=12, tasks=(2, 2), cpu_share=0.9)
    fast = run_of(spec, before_s=1, elapsed_s=8, tasks=(3, 3, 3, 3), cpu_share=0.9)
    several = [found(spec, slow), found(spec, fast), found(spec, fast)]
    assert typical(several).limit == "processor"


def test_caps_are_those_that_the_provider_publishes() -> None:
    def spec(kind: str, disk: str, ssds: int = 0) -> ClusterSpec:
        node = NodeSpec(kind, 2, 7500, boot_disk_type=disk, boot_disk_gb=500, local_ssds=ssds)
        return ClusterSpec("x", "dataproc", node, 2, node)

    standard = known_caps(spec("n1-standard-2", "pd-standard"))
    assert standard == MachineCaps(None, 10e9 / 8, 60 * 2**20, 60 * 2**20)
    assert known_caps(spec("n1-standard-2", "pd-ssd")) == MachineCaps(None, 10e9 / 8)
    fast = known_caps(spec("n1-standard-2", "pd-standard", ssds=2))
    assert (fast.disk_read, fast.disk_write) == (2 * 664e6, 2 * 352e6)
    assert known_caps(shape()) == MachineCaps()
