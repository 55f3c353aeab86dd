"""`shardmill pick`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.jobs import check_words, tell
from shardmill.cli.parse import Command, print_json
from shardmill.operations.pick.result import lines
from shardmill.operations.pick.run import pick

_GROUPS: Final = {
    "trace": "where runs come from",
    "objective": "what is wanted",
    "budget": "when to stop",
    "strategy": "how to search",
    "out": "results",
}
_EXAMPLES: Final = """\
  shardmill pick shapes.yaml --budget 5
  shardmill pick --trace sweeps/trace.csv
  shardmill pick --trace arrow.csv --workload lr_spark_bigdata --deadline 1800 --out runs/pick/
  shardmill pick --trace arrow.csv --workload join_spark_huge --budget 5 --cut-off 1.5
"""

COMMAND: Final = Command("pick", pick, groups=_GROUPS, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    result = pick(**arguments, check_words=check_words, say=tell)
    if as_json:
        print_json(result)
    else:
        print("\n".join(lines(result)))
    return 0 if result.best is not None else 1
