"""What a machine, its disks and a store can move at most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shardmill.clusters.base import ClusterSpec, NodeSpec
from shardmill.clusters.machine_types import machine_type
from shardmill.storage import scheme_of

READS_AT_ONCE: Final = 32
"""Requests of one task that are under way together, as `storage.settings.REQUESTS_AT_ONCE`."""

_DISK_MIB_S_PER_GIB: Final = {"pd-standard": 0.12, "pd-balanced": 0.28, "pd-ssd": 0.48}
_DISK_MOST_MIB_S: Final = {"pd-standard": (1200.0, 400.0), "pd-balanced": (1200.0, 1200.0), "pd-ssd": (1200.0, 1200.0)}
"""(read, write) of one machine. Source: Google, "Persistent Disk performance overview"; what balanced and SSD disks have
beyond their size is in no source that we could check, so that small ones are told slower than they may be."""
_LOCAL_SSD_MB_S: Final = {"nvme": (664.0, 352.0), "scsi": (390.0, 274.0)}
"""(read, write) of each disk of 375 GB, by the same source."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits in bytes per second and seconds; infinite where there is none, or none is known."""

    from_store: bool = False
    """The images lie in an object store, not in files."""
    to_store: bool = False
    """The shards do."""
    latency_s: float = 0.0
    """Of each request to the store, beyond what the store of the calibration took."""
    reads_at_once: int = READS_AT_ONCE
    stream_bytes_per_s: float = math.inf
    """Of one answer."""
    store_bytes_per_s: float = math.inf
    """Of all answers together."""
    network_bytes_per_s: float = math.inf
    """Of each machine."""
    disk_read_bytes_per_s: float = math.inf
    disk_write_bytes_per_s: float = math.inf

    def request_s(self, size: float) -> float:
        """A request for `size` bytes when no other is under way."""
        return self.latency_s + size / min(self.stream_bytes_per_s, self.store_bytes_per_s, self.network_bytes_per_s)


def caps_of(spec: ClusterSpec, *, from_store: bool, to_store: bool) -> Caps:
    """The caps of a shape's task machines, by its machine type and disks; what no source tells is infinite.

    Google publishes what a machine sends and not what it receives, which is taken to be the same.

    Args:
        from_store: The images lie in an object store.
        to_store: The shards do.
    """
    kind = machine_type(spec.task_node.machine_type)
    read, write = disk_bytes_per_s(spec.task_node)
    return Caps(
        from_store=from_store,
        to_store=to_store,
        network_bytes_per_s=math.inf if kind is None or kind.egress_gbit_s is None else kind.egress_gbit_s * 1e9 / 8,
        disk_read_bytes_per_s=read,
        disk_write_bytes_per_s=write,
    )


def places(words: Sequence[str]) -> tuple[bool, bool]:
    """Whether a command reads from an object store, and whether it writes to one: by its first two operands."""
    operands = [word for word in words[1:] if not word.startswith("-")][:2]
    stores = [scheme_of(word) != "" for word in operands] + [False, False]
    return stores[0], stores[1]


def disk_bytes_per_s(node: NodeSpec) -> tuple[float, float]:
    """Most that the disks of a machine read and write; infinite for types that are not known here."""
    if node.local_ssds:
        read, write = _LOCAL_SSD_MB_S[node.local_ssd_interface]
        return node.local_ssds * read * 1e6, node.local_ssds * write * 1e6
    per_gib = _DISK_MIB_S_PER_GIB.get(node.boot_disk_type or "")
    if per_gib is None or not node.boot_disk_gb:
        return math.inf, math.inf
    most_read, most_write = _DISK_MOST_MIB_S[node.boot_disk_type or ""]
    by_size = per_gib * node.boot_disk_gb
    return min(by_size, most_read) * 2**20, min(by_size, most_write) * 2**20
