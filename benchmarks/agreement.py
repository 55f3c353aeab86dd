"""Do two speed tests of the same grid agree, made on one machine at the same time, a pass of each in turn?

    python benchmarks/agreement.py SHARDS PHOTOS OUT

The runs differ in the order of their passes and in their processes, in nothing else; they are kept in OUT/first and
OUT/second, and the same command goes on where it was stopped. A cell agrees where the two medians lie within 10 % of each
other. Ends with exit code 1 where fewer than 90 % of the cells do.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tables import table

from shardmill import SpeedtestResult, speedtest

_WITHIN: Final = 0.10
_SHARE: Final = 0.90


class Baton:
    """Lets two threads go on in turn; whoever has ended is waited for no more."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._turn = 0
        self._ended = [False, False]

    def hand_over(self, own: int) -> None:
        """Let the other go on, and return when it has handed over."""
        with self._changed:
            self._turn = 1 - own
            self._changed.notify_all()
            self.wait_for(own)

    def wait_for(self, own: int) -> None:
        """Return when it is the turn of `own`."""
        with self._changed:
            self._changed.wait_for(lambda: self._turn == own or self._ended[1 - own])

    def end(self, own: int) -> None:
        with self._changed:
            self._ended[own] = True
            self._changed.notify_all()


def run(own: int, baton: Baton, shards: str, options: dict[str, Any]) -> SpeedtestResult:
    """One of the two runs, a pass at a time."""
    baton.wait_for(own)
    try:
        return speedtest(shards, **options, on_progress=lambda done, of, images: baton.hand_over(own))
    finally:
        baton.end(own)


def both(shards: str, photos: str, out: Path, grid: dict[str, Any]) -> tuple[SpeedtestResult, SpeedtestResult]:
    """The two runs, in turn."""
    baton = Baton()
    with ThreadPoolExecutor(2) as pool:
        futures = [
            pool.submit(run, own, baton, shards, {**grid, "files": [photos], "seed": own, "out": str(out / name)})
            for own, name in enumerate(("first", "second"))
        ]
        first, second = (future.result() for future in futures)
    return first, second


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards")
    parser.add_argument("photos")
    parser.add_argument("out", type=Path)
    parser.add_argument("--reader", default="native")
    parser.add_argument("--batch-size", default="2,4,8,16,32,64")
    parser.add_argument("--num-batches", default="4,8,16,32")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--min-seconds", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    arguments = vars(parser.parse_args())
    shards, photos, out, as_json = (arguments.pop(name) for name in ("shards", "photos", "out", "json"))
    first, second = both(shards, photos, out, arguments)
    differences: dict[str, list[float]] = {}
    for one, other in zip(first.cells, second.cells, strict=True):
        assert one.cell == other.cell
        difference = abs(one.images_per_s - other.images_per_s) / min(one.images_per_s, other.images_per_s)
        differences.setdefault(f"{one.cell.dataset}, {one.cell.reader}", []).append(difference)
    everything = [difference for own in differences.values() for difference in own]
    share = sum(difference <= _WITHIN for difference in everything) / len(everything)
    if as_json:
        print(json.dumps({"share_within": share, "within": _WITHIN, "differences": differences}, indent=1))
    else:
        rows = [_row(name, own) for name, own in [*differences.items(), ("all", everything)]]
        print(table(("", "cells", "within 10 %", "median difference", "largest"), rows))
    return 0 if share >= _SHARE else 1


def _row(name: str, differences: list[float]) -> tuple[str, ...]:
    within = sum(difference <= _WITHIN for difference in differences)
    return (
        name,
        f"{len(differences)}",
        f"{within / len(differences):.0%}",
        f"{statistics.median(differences):.1%}",
        f"{max(differences):.1%}",
    )


if __name__ == "__main__":
    sys.exit(main())
