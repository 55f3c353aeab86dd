"""How clusters read on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from shardmill.operations.cluster.lifecycle import ClusterInfo
from shardmill.units import format_seconds, printable


def described(cluster: ClusterInfo) -> Iterator[str]:
    """What it is, what it costs, and how to be rid of it."""
    yield f"{printable(cluster.name)}: {cluster.state}, {cluster.provider}, shape {printable(cluster.shape)}: {cluster.nodes} x {cluster.cores // cluster.nodes} cores"
    yield f"  age       {format_seconds(cluster.age_s)}; deletes itself in {format_seconds(max(cluster.expires_in_s, 0.0))} at the latest"
    if cluster.usd_per_hour is not None and cluster.usd is not None:
        yield f"  cost      {cluster.usd:.4f} USD so far, {cluster.usd_per_hour:.4f} an hour"
    if cluster.address:
        yield f"  look at   {printable(cluster.address)}"
    yield f"  delete    {cluster.delete_command}"
