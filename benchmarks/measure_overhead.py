"""What does `measure` cost, against a bare loop over the same reader?

    python benchmarks/measure_overhead.py SHARDS

Bare loop and `measure` read the same windows in turn (A B, B A, ...), many times; medians of the pairs, and their middle
half. The reader is the lightest there is,
encoded bytes out of shards in the cache, in the smallest batches: decoding would hide the cost. Ends with exit code 1 where the
median of the pairs' ratios is 2 % or more.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final, NamedTuple

from tables import table

from shardmill.speedtest.cache import usage_meter
from shardmill.speedtest.material import open_shards
from shardmill.speedtest.measure import Usage, measure
from shardmill.speedtest.native import NativeReader
from shardmill.speedtest.reader import Begin, ReaderOptions
from shardmill.speedtest.summary import quartiles

_LIMIT: Final = 0.02
_WINDOWS: Final = ((2, 4), (2, 32), (64, 32))
_PASS_S: Final = 0.1


class Times(NamedTuple):
    """Seconds."""

    reported: float
    wall: float


def bare(begin: Begin, num_batches: int, windows: int) -> float:
    """Seconds of the loop that anybody would write."""
    started = time.perf_counter()
    images = 0
    for number in range(windows):
        batches = begin(number)
        for _ in range(num_batches):
            batch = next(batches)
            images += batch.images
        batches.close()
    return time.perf_counter() - started


def measured(reader: NativeReader, window: tuple[int, int], windows: int, usage: Callable[[], Usage]) -> Times:
    """The same by `measure`, a call for each window: what it reports, and how long all of it took."""
    started = time.perf_counter()
    reported_s = 0.0
    for number in range(windows):
        timing = measure(reader, *window, min_seconds=0, first_window=number, usage=usage)
        reported_s += timing.elapsed_s
    return Times(reported_s, time.perf_counter() - started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards")
    parser.add_argument("--pairs", type=int, default=100)
    arguments = parser.parse_args()
    material = open_shards(arguments.shards)
    usage = usage_meter(f"{material.store.root}/{material.shards[0].name}")
    rows, worst = [], 0.0
    with closing(NativeReader(material, ReaderOptions(parallel_reads=1, decode=False))) as reader:
        for window in _WINDOWS:
            begin = reader.windows(*window)
            windows = measure(reader, *window, min_seconds=_PASS_S).repeats
            without: list[float] = []
            with_: list[Times] = []
            for pair in range(arguments.pairs):
                gc.collect()
                for measuring in ((False, True), (True, False))[pair % 2]:
                    if measuring:
                        with_.append(measured(reader, window, windows, usage))
                    else:
                        without.append(bare(begin, window[1], windows))
            reported, wall = (
                [100 * (times[kind] / bare_s - 1) for times, bare_s in zip(with_, without, strict=True)]
                for kind in (0, 1)
            )
            worst = max(worst, statistics.median(reported) / 100)
            bare_us = statistics.median(without) / windows * 1e6
            rows.append((f"{window[1]} batches of {window[0]}", f"{bare_us:,.0f}", _middle(reported), _middle(wall)))
    print(table(("window", "bare, us", "reported seconds more, %", "wall seconds more, %"), rows))
    return 0 if worst < _LIMIT else 1


def _middle(values: list[float]) -> str:
    low, median, high = quartiles(values)
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    sys.exit(main())
