"""What the shards of a data set are called."""

from __future__ import annotations

from shardmill.plan.cut import ShardTask
from shardmill.spec import PrepareSpec


def shard_name(spec: PrepareSpec, task: ShardTask, suffix: str) -> str:
    """`train-00003-of-00016.tfrecord`, or as tfds wants it: `flowers-train.tfrecord-00003-of-00016`."""
    place = f"{task.index:05d}-of-{task.of:05d}"
    if spec.tfds_name is not None:
        return f"{spec.tfds_name}-{task.split}{suffix}-{place}"
    return f"{task.split}-{place}{suffix}"
