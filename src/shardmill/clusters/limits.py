"""What Dataproc is known to refuse, checked before anything is asked for.

The rules are those of Google's documentation: Dataproc's API reference (names, labels, lifetimes, numbers of workers and
disks), its pages on supported machine types, image versions and cluster properties, and Compute Engine's on local SSDs
("choose a valid number of Local SSD disks"). What only the service knows, such as whether a zone has machines left, is not
here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from shardmill.clusters.base import ClusterSpec, NodeSpec
from shardmill.clusters.machine_types import machine_type
from shardmill.units import format_count, format_seconds

IMAGES: Final = ("2.2", "2.3")
"""Lines of images that shardmill runs on: supported ones with Python 3.11 or later and Spark 3.5."""
DEFAULT_BOOT_DISK_GB: Final = 500
"""What Dataproc takes where no size is given."""
LOCAL_SSD_GB: Final = 375

_DAY_S: Final = 86_400
_LONGEST_S: Final = 14 * _DAY_S
_LEAST_IDLE_S: Final = 300
_LEAST_AGE_S: Final = 600
_LEAST_BOOT_DISK_GB: Final = 10
_MOST_LABELS: Final = 30  # of Dataproc's 32, two are ours
_MOST_LOCAL_SSDS: Final = 8
_IMAGE: Final = re.compile(r"(\d+\.\d+)(\.\d+)?(-[a-z-]+\d*)?")
_LABEL: Final = re.compile(r"[a-z]([-a-z0-9_]{0,61}[a-z0-9])?")
_PROPERTY: Final = re.compile(r"[a-z][a-z0-9.-]*:\S+")
_ZONE: Final = re.compile(r"[a-z]+-[a-z]+\d+-[a-z]")
_REGION: Final = re.compile(r"[a-z]+-[a-z]+\d+")
_SHARED_CORE: Final = ("e2-micro", "e2-small", "e2-medium", "f1-micro", "g1-small")
_FAMILIES: Final = ("c2", "c2d", "c3", "c4", "c4a", "e2", "m1", "m2", "n1", "n2", "n2d", "n4", "n4d", "t2a")
_NO_LOCAL_SSDS: Final = ("c4", "e2", "m2", "n4", "n4d", "t2a")
_SSD_COUNTS: Final[Mapping[str, tuple[tuple[int, tuple[int, ...]], ...]]] = {
    "n1": ((96, (1, 2, 3, 4, 5, 6, 7, 8)),),
    "n2": ((10, (1, 2, 4, 8)), (20, (2, 4, 8)), (40, (4, 8)), (80, (8,))),
    "n2d": ((16, (1, 2, 4, 8)), (48, (2, 4, 8)), (80, (4, 8)), (224, (8,))),
}
"""By family: up to how many vCPUs a machine takes which numbers of local SSDs, of those that Dataproc takes."""
_SSD_DISKS: Final = ("pd-balanced", "pd-ssd")
"""Types of boot disk that the quota of SSDs counts."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """What a project has left in a region. None: not known, and not checked."""

    cpus_left: float | None = None
    """vCPUs (`CPUS`, and where a family has a quota of its own, the lesser of the two)."""
    ssd_gb_left: float | None = None
    """GB of pd-ssd and pd-balanced (`SSD_TOTAL_GB`)."""
    disk_gb_left: float | None = None
    """GB of pd-standard (`DISKS_TOTAL_GB`)."""
    local_ssd_gb_left: float | None = None
    """GB of local SSDs (`LOCAL_SSD_TOTAL_GB`)."""
    addresses_left: float | None = None
    """External IP addresses (`IN_USE_ADDRESSES`); None also where machines have internal ones only."""


def objections(spec: ClusterSpec, quotas: Quotas | None = None) -> list[str]:
    """Why Dataproc would refuse `spec`, each in one sentence with the remedy; empty where nothing is known against it."""
    found = [*_layout(spec), *_lifetimes(spec), *_names(spec)]
    nodes = [("master", spec.master), *([("worker", spec.worker)] if spec.workers else [])]
    for role, node in nodes:
        found += [sentence for sentence in _machine(node, role) if sentence not in found]
    if quotas is not None and spec.workers >= 0:
        found += _beyond(spec, quotas)
    return found


def _layout(spec: ClusterSpec) -> Iterator[str]:
    if spec.workers < 0 or spec.workers == 1:
        yield (
            f"Dataproc makes no cluster with {format_count(spec.workers, 'worker')}; set `workers` to 0, for one machine that does it all, "
            "or to 2 or more."
        )
    if spec.image_version is not None:
        match = _IMAGE.fullmatch(spec.image_version)
        if match is None or match[1] not in IMAGES:
            yield (
                f"shardmill does not run on the image {spec.image_version}; set `image` to "
                f"{' or '.join(f'{line}-debian12' for line in IMAGES)}."
            )
    if spec.region is not None and _REGION.fullmatch(spec.region) is None:
        yield f"{spec.region!r} is no region; set `region` to one like us-central1."
    if spec.zone is not None and _ZONE.fullmatch(spec.zone) is None:
        yield f"{spec.zone!r} is no zone; set `zone` to one like us-central1-b, or leave it out."
    elif spec.zone is not None and spec.region is not None and spec.zone.rpartition("-")[0] != spec.region:
        yield f"The zone {spec.zone} is not in the region {spec.region}; leave one of `zone` and `region` out."


def _lifetimes(spec: ClusterSpec) -> Iterator[str]:
    for key, seconds, least in (
        ("idle_delete", spec.idle_delete_s, _LEAST_IDLE_S),
        ("max_age", spec.max_age_s, _LEAST_AGE_S),
    ):
        if not least <= seconds <= _LONGEST_S:
            yield (
                f"`{key}` is {format_seconds(seconds)}, and Dataproc takes {least // 60} minutes to 14 days; set it to "
                f"{'30m' if key == 'idle_delete' else '4h'} or the like."
            )


def _names(spec: ClusterSpec) -> Iterator[str]:
    for name, value in spec.labels.items():
        if _LABEL.fullmatch(name) is None or (value and _LABEL.fullmatch(value) is None):
            yield (
                f"{name}={value} is no label; its name and value take small letters, digits, '-' and '_', a letter first, "
                "at most 63 of them."
            )
    if len(spec.labels) > _MOST_LABELS:
        yield f"{len(spec.labels)} labels are too many; Dataproc takes {_MOST_LABELS} beside our own, leave some out."
    for name in spec.properties:
        if _PROPERTY.fullmatch(name) is None:
            yield (
                f"{name!r} is no property of a cluster; write it with the file it goes to, like "
                "spark:spark.executor.memory."
            )


def _machine(node: NodeSpec, role: str) -> Iterator[str]:
    kind = node.machine_type
    known = machine_type(kind)
    family = known.family if known else kind.partition("-")[0]
    if kind in _SHARED_CORE:
        yield f"Dataproc takes no machines with a shared core, such as {kind}; set `{role}` to e2-standard-2 or larger."
    elif kind == "n1-standard-1":
        yield f"Images from 2.0 on do not run on n1-standard-1; set `{role}` to n1-standard-2 or larger."
    elif family not in _FAMILIES:
        yield f"Dataproc takes no {family} machines, such as {kind}; it takes {', '.join(_FAMILIES)}."
    if not node.boot_disk_gb:
        yield (
            f"The boot disk of the {role} has no size, and Dataproc would make it of {DEFAULT_BOOT_DISK_GB} GB; set "
            "`disk: {size: 100GB}` or the like."
        )
    elif node.boot_disk_gb < _LEAST_BOOT_DISK_GB:
        yield (
            f"A boot disk has {_LEAST_BOOT_DISK_GB} GB at least, not {node.boot_disk_gb}; set `disk: {{size: 100GB}}` or "
            "the like."
        )
    if node.local_ssds:
        yield from _local_ssds(node, family, role)


def _local_ssds(node: NodeSpec, family: str, role: str) -> Iterator[str]:
    if family in _NO_LOCAL_SSDS or (family == "c3" and not node.machine_type.endswith("-lssd")):
        yield (
            f"No local SSDs can be added to {node.machine_type}; leave `local_ssds` of the {role} out, or take a machine "
            "type of n1, n2 or n2d."
        )
        return
    allowed = tuple(range(1, _MOST_LOCAL_SSDS + 1))
    if family in _SSD_COUNTS:
        allowed = next((counts for vcpus, counts in _SSD_COUNTS[family] if node.cores <= vcpus), ())
    if not allowed:
        yield (
            f"{node.machine_type} takes more local SSDs than the {_MOST_LOCAL_SSDS} that Dataproc adds; leave `local_ssds` "
            f"of the {role} out."
        )
    elif node.local_ssds not in allowed:
        numbers = "1 to 8" if len(allowed) == _MOST_LOCAL_SSDS else " or ".join(map(str, allowed))
        yield f"{node.machine_type} takes {numbers} local SSDs, not {node.local_ssds}; change `local_ssds` of the {role}."


def _beyond(spec: ClusterSpec, quotas: Quotas) -> Iterator[str]:
    groups = [(1, spec.master), *([(spec.workers, spec.worker)] if spec.workers else [])]
    machines = sum(count for count, _ in groups)
    vcpus = sum(count * node.cores for count, node in groups)
    disks = [(count * (node.boot_disk_gb or DEFAULT_BOOT_DISK_GB), node.boot_disk_type) for count, node in groups]
    ssd_gb = sum(gb for gb, kind in disks if kind in _SSD_DISKS)
    standard_gb = sum(gb for gb, kind in disks if kind in ("pd-standard", None))
    local_gb = sum(count * node.local_ssds * LOCAL_SSD_GB for count, node in groups)
    fits = 0 if quotas.cpus_left is None else int((quotas.cpus_left - spec.master.cores) // max(spec.worker.cores, 1))
    fewer = f"set `workers` to {fits}" if 2 <= fits < spec.workers else "take fewer or smaller machines"
    yield from _lacking(vcpus, quotas.cpus_left, "vCPUs", fewer, "CPUS")
    each = int((quotas.ssd_gb_left or 0) // machines)
    size = f"`disk: {{size: {each}GB}}`, " if each >= 2 * _LEAST_BOOT_DISK_GB else ""
    smaller = f"set {size}`disk: {{type: pd-standard}}`"
    yield from _lacking(ssd_gb, quotas.ssd_gb_left, "GB of SSD disks", smaller, "SSD_TOTAL_GB")
    yield from _lacking(
        standard_gb, quotas.disk_gb_left, "GB of standard disks", "set a smaller `disk`", "DISKS_TOTAL_GB"
    )
    yield from _lacking(
        local_gb, quotas.local_ssd_gb_left, "GB of local SSDs", "lower `local_ssds`", "LOCAL_SSD_TOTAL_GB"
    )
    yield from _lacking(
        machines, quotas.addresses_left, "external IP addresses", "take fewer machines", "IN_USE_ADDRESSES"
    )


def _lacking(needed: int, left: float | None, what: str, remedy: str, quota: str) -> Iterator[str]:
    if left is not None and needed > left:
        yield (
            f"It takes {needed} {what} and the project's quota leaves {left:g}; {remedy}, or ask for more under IAM & "
            f"Admin, Quotas ({quota})."
        )
