"""Made-up speed-test rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from shardmill.speedtest.record import Measurement

ROW: Final = Measurement(
    dataset="flowers",
    source="shards",
    format="tfrecord",
    reader="native",
    batch_size=4,
    num_batches=8,
    parallel_reads=2,
    decode=True,
    cache="warm",
    concurrency=1,
    engine="local",
    repetition=0,
    position=0,
    warm_up=False,
    images=320,
    repeats=10,
    elapsed_s=1.25,
    first_batch_s=0.004,
    cpu_s=1.1,
    bytes_read=3_200_000,
    device_bytes=0,
    cache_seen="warm",
    images_per_s=256.0,
    mb_per_s=2.56,
    host="here",
    pid=4711,
    started_at="2030-01-01T00:00:00.000000Z",
    versions='{"numpy": "2"}',
)


def row(**changes: Any) -> Measurement:
    """A row that differs from `ROW` in `changes`."""
    return replace(ROW, **changes)
