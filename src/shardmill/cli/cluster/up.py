"""`shardmill cluster up`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.cluster.words import described
from shardmill.cli.jobs import tell
from shardmill.cli.parse import Command, print_json
from shardmill.operations.cluster.lifecycle import cluster_up

_EXAMPLES: Final = """\
  shardmill cluster up local-2x1
  shardmill cluster up shapes.yaml --shape four --name photos
"""

COMMAND: Final = Command("cluster up", cluster_up, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    made = cluster_up(**arguments, say=tell)
    if as_json:
        print_json(made)
    else:
        print("\n".join(described(made)))
        print(f"run a job   shardmill cluster submit {made.name} -- prepare SOURCE DEST")
    return 0
