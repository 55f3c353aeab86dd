"""A sweep on an imagined cloud."""

from __future__ import annotations

from pathlib import Path

from shardmill.clusters.base import ClusterSpec
from shardmill.operations.sweep.make import Maker
from shardmill.sweep.budget import Budget
from shardmill.sweep.evidence import Evidence
from shardmill.sweep.request import SweepRequest
from tests.clusters.imagined import ImaginedCloud


def request(
    *shapes: ClusterSpec, partitions: tuple[int | None, ...] = (None,), repetitions: int = 1, expect_s: float = 100.0
) -> SweepRequest:
    return SweepRequest("photos", ("prepare", "in", "out/{run}"), shapes, partitions, repetitions, expect_s, False)


def price(spec: ClusterSpec, seconds: float) -> float | None:
    return None if spec.usd_per_hour is None else spec.usd_per_hour * seconds / 3600


def maker(folder: Path, cloud: ImaginedCloud, asked: SweepRequest, budget: Budget | None = None) -> Maker:
    return Maker(
        asked,
        Evidence(folder),
        price,
        budget or Budget(),
        lambda name: cloud,
        lambda line: None,
        lambda text: None,
        clock=lambda: cloud.now,
    )
