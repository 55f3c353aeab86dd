"""`shardmill cluster metrics`: what the machines of a cluster used."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from shardmill.arguments import checked
from shardmill.clusters.base import UsageComesLate, UsageSample
from shardmill.errors import UsageError
from shardmill.operations.cluster.find import find_cluster


@dataclass(frozen=True, slots=True)
class NodeUse:
    """What one machine used. None: the source cannot tell."""

    node: str
    role: str
    cores: float
    seconds: float
    """That the samples tell of; the rates are over these."""
    cpu_share: float | None
    """Of its cores, 0 to 1; None for the master of a local cluster, which has no cores of its own."""
    cpu_s: float
    network_in_bytes_per_s: float | None
    network_out_bytes_per_s: float | None
    disk_read_bytes_per_s: float | None
    disk_write_bytes_per_s: float | None
    memory_bytes: float | None
    """The highest seen."""


@dataclass(frozen=True, slots=True)
class ClusterMetrics:
    """The machines of one cluster over some time."""

    cluster: str
    start: float
    """Seconds since the epoch."""
    end: float
    source: str
    """`process`, `host` or `monitoring`; see `UsageSample.source`."""
    nodes: tuple[NodeUse, ...]
    samples: tuple[UsageSample, ...]


@checked
def cluster_metrics(cluster: str, *, minutes: float = 10.0, provider: str | None = None) -> ClusterMetrics:
    """Tell what CPU, network, disk and memory each machine of a cluster has used.

    Args:
        cluster: Name of the cluster.
        minutes: How far to look back.
        provider: Where the cluster is: local or dataproc; by default it is looked for everywhere.

    Returns:
        Averages of each machine, and the samples over time.

    Raises:
        UsageError: no such cluster.
        ClusterError: it cannot be asked.
    """
    if not 0 < minutes < math.inf:
        raise UsageError(f"--minutes is {minutes}; it takes a number above 0")
    opened, found = find_cluster(cluster, provider)
    end = time.time() - (opened.usage_delay_s if isinstance(opened, UsageComesLate) else 0.0)
    start = max(end - minutes * 60, found.created_at)
    samples = opened.usage(found, start, end) if end > start else []
    nodes = sorted({(sample.role != "master", sample.node) for sample in samples})
    return ClusterMetrics(
        cluster=cluster,
        start=start,
        end=end,
        source=samples[0].source if samples else "",
        nodes=tuple(_use([sample for sample in samples if sample.node == node]) for _, node in nodes),
        samples=tuple(samples),
    )


def _use(samples: Sequence[UsageSample]) -> NodeUse:
    seconds = math.fsum(sample.seconds for sample in samples)

    def rate(name: str) -> float | None:
        values = [getattr(sample, name) for sample in samples]
        return None if None in values or not seconds else math.fsum(values) / seconds

    cores, cpu_s = samples[-1].cores, math.fsum(sample.cpu_s for sample in samples)
    memory = [sample.memory_bytes for sample in samples if sample.memory_bytes is not None]
    return NodeUse(
        node=samples[0].node,
        role=samples[0].role,
        cores=cores,
        seconds=seconds,
        cpu_share=cpu_s / (cores * seconds) if cores and seconds else None,
        cpu_s=cpu_s,
        network_in_bytes_per_s=rate("network_in_bytes"),
        network_out_bytes_per_s=rate("network_out_bytes"),
        disk_read_bytes_per_s=rate("disk_read_bytes"),
        disk_write_bytes_per_s=rate("disk_write_bytes"),
        memory_bytes=max(memory, default=None),
    )
