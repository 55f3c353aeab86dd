"""`shardmill report`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.operations.report.run import lines, report

_EXAMPLES: Final = """\
  shardmill report shards/ runs/speedtest/ --output report.html
  shardmill report runs/monday/ runs/tuesday/
"""

COMMAND: Final = Command("report", report, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    result = report(*arguments.pop("runs"), **arguments)
    if as_json:
        print_json(result)
    else:
        print("\n".join(lines(result)))
    return 0
