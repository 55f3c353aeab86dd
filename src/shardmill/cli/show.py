"""`shardmill show`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.operations.show.run import show
from shardmill.operations.show.words import lines

_EXAMPLES: Final = """\
  shardmill show shards/
  shardmill show shards/ --output sheet.png --count 60
  shardmill show 'downloads/train-*'
"""

COMMAND: Final = Command("show", show, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    result = show(**arguments)
    if as_json:
        print_json(result)
    else:
        print("\n".join(lines(result)))
    return 0
