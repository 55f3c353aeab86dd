"""What does `measure` cost, against a bare loop over the same reader?

    python benchmarks/measure_overhead.py SHARDS

Bare loop and `measure` read the same windows in turn (A B A B ...), many times. The reader is the lightest there is,
encoded bytes out of shards in the cache, in the smallest batches: decoding would hide the cost. Ends with exit code 1 where the
median of the pairs' ratios is 2 % or more.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from contextlib import closing
from typing import Final

from tables import spread, table

from shardmill.speedtest.cache import usage_meter
from shardmill.speedtest.material import open_shards
from shardmill.speedtest.measure import measure
from shardmill.speedtest.native import NativeReader
from shardmill.speedtest.reader import Begin, ReaderOptions

_LIMIT: Final = 0.02
_WINDOWS: Final = ((2, 4), (2, 32), (64, 32))
_PASS_S: Final = 0.25


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards")
    parser.add_argument("--pairs", type=int, default=40)
    arguments = parser.parse_args()
    material = open_shards(arguments.shards)
    path = f"{material.store.root}/{material.shards[0].name}"
    rows, worst = [], 0.0
    with closing(NativeReader(material, ReaderOptions(parallel_reads=1, decode=False))) as reader:
        for batch_size, num_batches in _WINDOWS:
            begin = reader.windows(batch_size, num_batches)
            warm = measure(reader, batch_size, num_batches, min_seconds=_PASS_S)
            windows = warm.repeats
            usage = usage_meter(path)
            over_reported, over_wall = [], []
            without_s = 0.0
            for _ in range(arguments.pairs):
                gc.collect()
                without_s = bare(begin, num_batches, windows)
                started = time.perf_counter()
                reported_s = 0.0
                for number in range(windows):
                    reported_s += measure(
                        reader, batch_size, num_batches, min_seconds=0, first_window=number, usage=usage
                    ).elapsed_s
                over_wall.append((time.perf_counter() - started) / without_s - 1)
                over_reported.append(reported_s / without_s - 1)
            worst = max(worst, statistics.median(over_reported))
            rows.append(
                (
                    f"{num_batches} batches of {batch_size}",
                    f"{without_s / windows * 1e6:,.0f}",
                    spread((100 * value for value in over_reported), 2),
                    spread((100 * value for value in over_wall), 2),
                )
            )
    print(table(("window", "bare, us", "reported seconds more, %", "wall seconds more, %"), rows))
    return 0 if worst < _LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
