"""`shardmill cluster render`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.operations.cluster.render import cluster_render

_EXAMPLES: Final = """\
  shardmill cluster render four-by-2
  shardmill cluster render shapes.yaml --shape four --project my-project --region europe-west4
"""

COMMAND: Final = Command("cluster render", cluster_render, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    result = cluster_render(**arguments)
    if as_json:
        print_json(result)
        return 0
    print(f"{result.create}\n\n{result.delete}\n")
    if result.bill:
        print("\n".join(f"# {line}" for line in ("an hour of it:", *result.bill.splitlines())))
    for sentence in result.objections:
        print(f"shardmill: {sentence}", file=sys.stderr)
    return 0
