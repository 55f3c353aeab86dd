"""Times one pass: a window of batches, read again from a fresh start until there is enough of it to time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from shardmill.speedtest.reader import Reader


@dataclass(frozen=True, slots=True)
class Usage:
    """What this process has used so far; only differences mean anything."""

    cpu_s: float
    """User and system, of all its threads."""
    device_bytes: int | None
    """Read from the device or the network; None where the kernel keeps no count."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One pass. All but `first_batch_s` are sums over the windows read; see `record.Measurement`."""

    repeats: int
    images: int
    bytes_read: int
    elapsed_s: float
    first_batch_s: float
    cpu_s: float
    device_bytes: int | None


def cpu_only() -> Usage:
    """Usage without a count of the device's bytes."""
    return Usage(time.process_time(), None)


def measure(
    reader: Reader,
    batch_size: int,
    num_batches: int,
    *,
    min_seconds: float = 1.0,
    first_window: int = 0,
    before_window: Callable[[int], None] | None = None,
    usage: Callable[[], Usage] = cpu_only,
) -> Timing:
    """Read windows of `num_batches` batches of `batch_size` images with `reader` for at least `min_seconds`.

    Timed is what a training loop waits for: from asking for the first batch until the last one is there. Setting the
    reader up, `before_window`, asking for `usage` and closing a window are not.

    Args:
        min_seconds: windows are repeated until their times add up to this; 0 reads one.
        first_window: number of the first window; the repeats have the numbers that follow.
        before_window: called with the number of each window before it is read.
        usage: asked before and after each window.
    """
    begin = reader.windows(batch_size, num_batches)
    clock = time.perf_counter
    rest = range(num_batches - 1)
    images = bytes_read = device_bytes = repeats = 0
    counted = True
    elapsed_s = cpu_s = 0.0
    first_batches_s: list[float] = []
    while repeats == 0 or elapsed_s < min_seconds:
        number = first_window + repeats
        if before_window is not None:
            before_window(number)
        before = usage()
        started = clock()
        batches = begin(number)
        batch = next(batches)
        first_batches_s.append(clock() - started)
        images += batch.images
        bytes_read += batch.bytes
        for _ in rest:
            batch = next(batches)
            images += batch.images
            bytes_read += batch.bytes
        elapsed_s += clock() - started
        after = usage()
        batches.close()
        repeats += 1
        cpu_s += after.cpu_s - before.cpu_s
        if before.device_bytes is None or after.device_bytes is None:
            counted = False
        else:
            device_bytes += after.device_bytes - before.device_bytes
    return Timing(
        repeats=repeats,
        images=images,
        bytes_read=bytes_read,
        elapsed_s=elapsed_s,
        first_batch_s=statistics.median(first_batches_s),
        cpu_s=cpu_s,
        device_bytes=device_bytes if counted else None,
    )
