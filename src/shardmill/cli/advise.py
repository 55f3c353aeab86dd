"""`shardmill advise`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.operations.report.advise import advise, lines

_EXAMPLES: Final = """\
  shardmill advise runs/speedtest/
  shardmill advise shards/ runs/speedtest/ runs/sweep/ runs/pick/
  shardmill advise runs/speedtest/ --json
"""

COMMAND: Final = Command("advise", advise, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    result = advise(*arguments.pop("runs"), **arguments)
    if as_json:
        print_json(result)
    else:
        print("\n".join(lines(result)))
    return 0
