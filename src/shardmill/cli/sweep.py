"""`shardmill sweep`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.jobs import check_words, tell
from shardmill.cli.parse import Command, print_json
from shardmill.operations.sweep.result import lines
from shardmill.operations.sweep.run import sweep

_GROUPS: Final = {"max_cost": "limits", "simulate": "simulation", "prices": "how", "out": "results"}
_EXAMPLES: Final = """\
  shardmill sweep shapes.yaml --dry-run
  shardmill sweep shapes.yaml --max-cost 5 --out runs/shapes/
  shardmill report runs/shapes/
  shardmill sweep larger.yaml --simulate runs/shapes/
"""

COMMAND: Final = Command("sweep", sweep, groups=_GROUPS, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    result = sweep(**arguments, check_words=check_words, say=tell)
    if as_json:
        print_json(result)
    else:
        print("\n".join(lines(result)))
    return 3 if result.left and not result.dry_run else 0
