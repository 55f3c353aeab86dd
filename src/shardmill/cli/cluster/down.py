"""`shardmill cluster down`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.jobs import tell
from shardmill.cli.parse import Command, print_json
from shardmill.operations.cluster.lifecycle import cluster_down
from shardmill.units import format_count

_EXAMPLES: Final = """\
  shardmill cluster down photos
  shardmill cluster down --all
"""

COMMAND: Final = Command("cluster down", cluster_down, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    result = cluster_down(*arguments.pop("names"), **arguments, say=tell)
    if as_json:
        print_json(result)
    else:
        print(
            f"{format_count(len(result.deleted), 'cluster')} deleted"
            + ("" if result.deleted else ": there was none of that name")
        )
    return 0
