"""`shardmill demo`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.cli.progress import progress_listener
from shardmill.operations.demo.run import demo

_EXAMPLES: Final = """\
  shardmill demo
  shardmill demo /tmp/tour --quick
"""

COMMAND: Final = Command("demo", demo, _EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    say = partial(print, file=sys.stderr if as_json else sys.stdout, flush=True)
    with progress_listener() as listener:
        result = demo(**arguments, say=say, on_event=listener)
    if as_json:
        print_json(result)
    return 0
