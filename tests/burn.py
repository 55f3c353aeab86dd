"""An application that keeps one core of a cluster busy."""

from __future__ import annotations

BURN = """\
import time
from shardmill.engines.spark import SparkEngine
def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
    return 1
print("done", sum(SparkEngine(partitions=2).run(burn, [6.0, 0.5])))
"""
"""Six core-seconds in one task and half of one in another, through our own engine."""
