"""`shardmill speedtest`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.cli.progress import measuring
from shardmill.operations.speedtest.result import lines
from shardmill.operations.speedtest.run import speedtest

_GROUPS: Final = {"files": "what is read, and how", "min_seconds": "measuring", "engine": "where", "out": "results"}
_EXAMPLES: Final = """\
  shardmill speedtest shards/ --files photos/
  shardmill speedtest shards/ --batch-size 2,4,8,16,32,64 --num-batches 4,8,16,32
  shardmill speedtest shards/ --parallel-reads 1,2,4 --cache both --concurrency 1,2
  shardmill speedtest shards/ --engine spark --master 'local[4]' --pickle
"""

COMMAND: Final = Command("speedtest", speedtest, groups=_GROUPS, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    with measuring() as listener:
        result = speedtest(*arguments.pop("datasets"), **arguments, on_progress=listener)
    if as_json:
        print_json(result)
    else:
        print("\n".join(lines(result)))
    return 0
