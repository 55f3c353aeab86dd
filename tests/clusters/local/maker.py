"""A process that makes a cluster for itself, says so, and waits to be killed."""

from __future__ import annotations

import sys
import time

from shardmill.clusters.local.provider import LocalProvider
from tests.spark_cluster import local_spec

if __name__ == "__main__":
    provider = LocalProvider()
    provider.create(local_spec(workers=1), "orphan")
    if sys.argv[1] == "ready":
        provider.wait_ready("orphan", 90)
    print("made", flush=True)
    time.sleep(300)
