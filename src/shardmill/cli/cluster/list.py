"""`shardmill cluster list`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from shardmill.cli.cluster.words import described
from shardmill.cli.parse import Command, print_json
from shardmill.operations.cluster.lifecycle import cluster_list
from shardmill.units import printable

_EXAMPLES: Final = """\
  shardmill cluster list
  shardmill cluster list --provider local --json
"""

COMMAND: Final = Command("cluster list", cluster_list, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    found = cluster_list(**arguments)
    if as_json:
        print_json(found)
    else:
        for cluster in found.clusters:
            print("\n".join(described(cluster)))
        if not found.clusters:
            print("no cluster of shardmill is there")
        elif any(cluster.usd is not None for cluster in found.clusters):
            print(found.prices)
    for sentence in found.unanswered:
        print(f"shardmill: not asked: {printable(sentence)}", file=sys.stderr)
    return 1 if found.unanswered else 0
