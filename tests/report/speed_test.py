"""Run folders of speed tests whose truth is known: no reader runs, the times come from a formula and a seed."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from shardmill.runs import begin_run
from shardmill.speedtest.record import RESULTS, Measurement, cache_seen, write_measurements

PER_IMAGE = {"tfrecord": 300e-6, "webdataset": 330e-6, "parquet": 420e-6, "files": 2100e-6}
"""CPU seconds of one image, decoded."""
BYTES = {"tfrecord": 41_000, "webdataset": 41_000, "parquet": 41_000, "files": 108_000}
PLAIN = 20e-6
"""Without decoding."""
DISK = 150e6
"""Bytes a second of a cold read."""
CORES = 2


def measurements(
    seed: int = 0,
    *,
    formats: Sequence[str] = ("tfrecord", "files"),
    readers: Sequence[str] = ("native",),
    batch_sizes: Sequence[int] = (2, 4, 8, 16, 32, 64),
    num_batches: Sequence[int] = (4, 8, 16, 32),
    parallel_reads: Sequence[int] = (2,),
    concurrency: Sequence[int] = (1,),
    caches: Sequence[str] = ("warm",),
    decode: Sequence[bool] = (True,),
    repetitions: int = 5,
    noise: float = 0.04,
    stubborn: int = 0,
    dataset: str = "photos",
    slower: float = 1.0,
    per_image: Mapping[str, float] | None = None,
    overhead: float = 1.0,
    first_noise: float = 0.0,
) -> list[Measurement]:
    """Rows of a grid in random order; of the cold passes, `stubborn` were in fact warm.

    `per_image` stands for `PER_IMAGE`, `overhead` multiplies what a window and a batch cost, `slower` everything.
    """
    random, wobble = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    cells = list(
        itertools.product(formats, readers, batch_sizes, num_batches, parallel_reads, concurrency, caches, decode)
    )
    grid = [(cell, turn) for cell in cells for turn in range(repetitions)]
    rows = []
    order = random.permutation(len(grid))
    for position, place in enumerate(order):
        (name, reader, size, count, reads, crowd, cache, decoded), turn = grid[place]
        for process in range(crowd):
            cpu = ((per_image or PER_IMAGE)[name] if decoded else PLAIN) * (1.15 if reader == "tf.data" else 1.0)
            crowded = max(1.0, crowd * min(reads, CORES) / CORES)
            images = size * count
            wait = BYTES[name] / DISK * crowd if cache == "cold" else 0.0
            each = max(cpu / min(reads, CORES) * crowded, wait)
            window = ((4e-3 + count * 150e-6) * overhead + images * each) * slower
            repeats = math.ceil(1.2 / window)
            elapsed = repeats * window * float(np.exp(random.normal(0, noise)))
            read = images * repeats * BYTES[name]
            device = read if cache == "cold" else 0
            if device and stubborn > 0:
                stubborn, device = stubborn - 1, 0
            rows.append(
                Measurement(
                    dataset=dataset if name == "files" else f"{dataset}-{name}",
                    source="files" if name == "files" else "shards",
                    format=name,
                    reader=reader,
                    batch_size=size,
                    num_batches=count,
                    parallel_reads=reads,
                    decode=decoded,
                    cache=cache,
                    concurrency=crowd,
                    engine="local",
                    repetition=turn,
                    position=position,
                    warm_up=turn == 0 and position % 17 == 3,
                    images=images * repeats,
                    repeats=repeats,
                    elapsed_s=elapsed,
                    first_batch_s=(4e-3 + 150e-6 + size * each) * slower * float(np.exp(wobble.normal(0, first_noise))),
                    cpu_s=images * repeats * cpu,
                    bytes_read=read,
                    device_bytes=device,
                    cache_seen=cache_seen(device, read),
                    images_per_s=images * repeats / elapsed,
                    mb_per_s=read / elapsed / 1e6,
                    host="bench",
                    pid=100 + process,
                    started_at="2026-01-02T03:04:05.000006+00:00",
                    versions=json.dumps({"python": "3.11.7", "numpy": "2.4.6"}),
                )
            )
    return rows


def write_run(folder: Path, rows: Sequence[Measurement], **request: object) -> Path:
    """A run folder with these rows."""
    run = begin_run(folder, "speedtest", {"seed": 0, "engine": "local", "min_seconds": 1.0, **request})
    write_measurements(run.path / RESULTS, rows)
    return run.path
