"""Shapes that tests ask for."""

from __future__ import annotations

from shardmill.clusters.base import ClusterSpec, NodeSpec

SMALL = NodeSpec("n1-standard-2", 2, 7500, "pd-standard", 100)


def dataproc_spec(name: str = "1+2", *, workers: int = 2, node: NodeSpec = SMALL) -> ClusterSpec:
    """Two workers of two cores, unless said otherwise."""
    return ClusterSpec(name, "dataproc", node, workers, node)
