"""`shardmill verify`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.cli.progress import counting
from shardmill.errors import DamageError
from shardmill.operations.verify.result import lines
from shardmill.operations.verify.run import verify

_EXAMPLES: Final = """\
  shardmill verify shards/
  shardmill verify shards/ --quick
  shardmill verify shards/ --repair
  shardmill verify 'data/train-*.tfrecord.gz'
"""

COMMAND: Final = Command("verify", verify, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    with counting("shards checked", "records") as listener:
        result = verify(**arguments, on_progress=listener)
    if as_json:
        print_json(result)
    else:
        print("\n".join(lines(result)), file=sys.stdout)
    return 0 if result.ok else DamageError.exit_code
