"""`shardmill fetch`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.cli.progress import fetching
from shardmill.operations.fetch import fetch
from shardmill.units import format_count, printable

_EXAMPLES: Final = """\
  shardmill fetch flowers
  shardmill fetch flowers data/flowers
"""

COMMAND: Final = Command("fetch", fetch, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    with fetching() as listener:
        result = fetch(**arguments, on_progress=listener)
    if as_json:
        print_json(result)
    else:
        was = "was there already" if result.already_there else "fetched"
        print(f"{printable(result.folder)}: {format_count(result.images, 'image')}, {was}")
        print(f"  licence  {result.licence}")
        print(f"  next     shardmill prepare {printable(result.folder)} shards --size 192")
    return 0
