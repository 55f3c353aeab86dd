"""A process that makes a cluster of Dataproc for itself, says so, and waits to be killed."""

from __future__ import annotations

import sys
import time

from shardmill.clusters.base import ClusterSpec, NodeSpec, running
from shardmill.clusters.dataproc.provider import DataprocProvider

if __name__ == "__main__":
    node = NodeSpec("n1-standard-2", 2, 7500, "pd-standard", 100)
    spec = ClusterSpec("orphan", "dataproc", node, 0, node, idle_delete_s=600, max_age_s=1200)
    provider = DataprocProvider()
    if sys.argv[2] == "at once":
        provider.create(spec, sys.argv[1])
        print("made", flush=True)
        time.sleep(300)
    with running(provider, spec, sys.argv[1]):
        print("made", flush=True)
        time.sleep(300)
