"""`shardmill model`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.operations.model.result import lines
from shardmill.operations.model.run import model

_EXAMPLES: Final = """\
  shardmill model runs/speedtest/
  shardmill model runs/monday/ runs/tuesday/ --out runs/model/
"""

COMMAND: Final = Command("model", model, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    result = model(*arguments.pop("runs"), **arguments)
    if as_json:
        print_json(result)
    else:
        print("\n".join(lines(result)))
    return 0
