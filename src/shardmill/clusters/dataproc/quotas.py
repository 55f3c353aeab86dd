"""The quotas of a project in a region, as Compute Engine tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shardmill.clusters.base import ClusterSpec
from shardmill.clusters.limits import Quotas

_OWN_CPUS: Final = ("n2", "n2d", "c2", "c2d", "c3", "c4", "c4a", "m1", "m2", "n4", "n4d", "t2a")
"""Families of machines with a quota of their own, such as `N2_CPUS`."""


def left_of(region: Mapping[str, Any]) -> dict[str, float]:
    """What is left of each quota, by its metric; `region` is the answer of `GoogleRest.region`."""
    return {str(each["metric"]): max(each["limit"] - each["usage"], 0.0) for each in region.get("quotas", ())}


def quotas_for(spec: ClusterSpec, left: Mapping[str, float]) -> Quotas:
    """What is left of the quotas that a shape takes from. Its machines have internal addresses only, and need none."""
    families = {node.machine_type.partition("-")[0] for node in (spec.master, *([spec.worker] if spec.workers else []))}
    metrics = ["CPUS", *(f"{family.upper()}_CPUS" for family in sorted(families) if family in _OWN_CPUS)]
    return Quotas(
        cpus_left=min((left[metric] for metric in metrics if metric in left), default=None),
        ssd_gb_left=left.get("SSD_TOTAL_GB"),
        disk_gb_left=left.get("DISKS_TOTAL_GB"),
        local_ssd_gb_left=left.get("LOCAL_SSD_TOTAL_GB"),
    )
