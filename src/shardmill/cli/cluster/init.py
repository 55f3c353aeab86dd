"""`shardmill cluster init`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.operations.cluster.init import cluster_init, lines
from shardmill.units import printable

_EXAMPLES: Final = """\
  shardmill cluster init --project my-project --region europe-west4 --bucket my-bucket
  shardmill cluster init --project my-project --region europe-west4 --bucket my-bucket --apply
"""

COMMAND: Final = Command("cluster init", cluster_init, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    result = cluster_init(**arguments)
    if as_json:
        print_json(result)
    else:
        print("\n".join(printable(line) for line in lines(result)))
    return 0 if result.ready else 1
