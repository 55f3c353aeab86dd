"""`shardmill bench-pick`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.cli.progress import counting
from shardmill.operations.pick.bench import bench_pick, lines

_EXAMPLES: Final = """\
  shardmill bench-pick sweeps/trace.csv
  shardmill bench-pick arrow.csv c3o.csv --seeds 100 --json
  shardmill bench-pick arrow.csv --deadline-percentile 30 --deadline-percentile 70 --strategy shardmill
"""

COMMAND: Final = Command("bench-pick", bench_pick, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    with counting("searches done", "trials") as listener:
        result = bench_pick(*arguments.pop("traces"), **arguments, on_progress=listener)
    if as_json:
        print_json(result)
    else:
        print("\n".join(lines(result)))
    return 0
