"""How arms and combinations are called in sentences."""

from __future__ import annotations

import math

from shardmill.model.analysis import ArmAnalysis
from shardmill.model.observations import Factors


def what(one: ArmAnalysis) -> str:
    """`tfrecord shards with the native reader`."""
    read = "the source files" if one.arm.source == "files" else f"{one.arm.format} shards"
    return f"{read} with {reader(one)}"


def reader(one: ArmAnalysis) -> str:
    """`tf.data`, or `the native reader`."""
    return "tf.data" if one.arm.reader == "tf.data" else f"the {one.arm.reader} reader"


def window(cell: Factors) -> str:
    """`8 batches of 64`."""
    return f"{cell.num_batches:,} batches of {cell.batch_size:,}"


def bounded(interval: tuple[float, float]) -> tuple[float, float] | None:
    """The interval, where it has two ends."""
    return interval if all(map(math.isfinite, interval)) else None


def percent(interval: tuple[float, float]) -> tuple[float, float] | None:
    """An interval of shares in per cent."""
    return bounded((interval[0] * 100, interval[1] * 100))
