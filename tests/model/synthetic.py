"""A reader whose times are known: start-up, images, batches, and noise that multiplies."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

BATCH_SIZES = (2, 4, 8, 16, 32, 64)
NUM_BATCHES = (4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a speed test, as far as models read it."""

    batch_size: int
    num_batches: int
    images: int
    elapsed_s: float
    repetition: int = 0
    position: int = 0
    parallel_reads: int = 1
    concurrency: int = 1
    dataset: str = "photos"
    source: str = "shards"
    format: str = "tfrecord"
    reader: str = "native"
    decode: bool = True
    cache: str = "warm"
    engine: str = "local"
    warm_up: bool = False
    repeats: int = 1
    first_batch_s: float = 0.01
    cpu_s: float = 0.0
    bytes_read: int = 0
    device_bytes: int = 0
    cache_seen: str = "warm"
    host: str = "here"
    mb_per_s: float = 0.0


def rows(
    seconds: Callable[[int, int, int, int], float],
    seed: int,
    *,
    noise: float = 0.05,
    repetitions: int = 5,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    num_batches: Sequence[int] = NUM_BATCHES,
    parallel_reads: Sequence[int] = (1,),
    concurrency: Sequence[int] = (1,),
    **fixed: object,
) -> list[Row]:
    """A grid in random order. `seconds(batch size, batches, parallel reads, concurrency)` is the mean of a window.

    The noise has mean 1 and the standard deviation `noise`, log-normal.
    """
    random = np.random.default_rng(seed)
    grid = list(itertools.product(batch_sizes, num_batches, parallel_reads, concurrency, range(repetitions)))
    sigma = np.sqrt(np.log1p(noise**2))
    places = random.permutation(len(grid))
    found = []
    for place, (size, count, parallel, crowd, turn) in zip(places, grid, strict=True):
        factor = float(np.exp(random.normal(-(sigma**2) / 2, sigma)))
        elapsed = seconds(size, count, parallel, crowd) * factor
        row = Row(size, count, size * count, elapsed, turn, int(place), parallel, crowd)
        found.append(
            row if not fixed else type(row)(**{**{name: getattr(row, name) for name in row.__slots__}, **fixed})
        )
    return found
