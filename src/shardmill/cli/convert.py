"""`shardmill convert`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.cli.progress import counting
from shardmill.operations.convert.run import ConvertResult, convert
from shardmill.units import format_bytes, format_count, format_seconds, printable

_EXAMPLES: Final = """\
  shardmill convert shards/ tars/ --format webdataset
  shardmill convert shards/ tables/ --format parquet --compression zstd
  shardmill convert '00*.tar' records/ --format tfrecord --max-errors 1%
"""

COMMAND: Final = Command("convert", convert, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    with counting("shards converted", "records") as listener:
        result = convert(**arguments, on_progress=listener)
    if as_json:
        print_json(result)
    else:
        print("\n".join(lines(result)))
    if result.failed:
        print(f"shardmill: {format_count(result.failed, 'record')} failed; see {result.dest}/_samples", file=sys.stderr)
    return 0


def lines(result: ConvertResult) -> list[str]:
    """The result for people."""
    if result.already_complete:
        return [
            f"{result.dest} is already complete: {format_count(result.written, 'record')} in {format_count(result.shards, 'shard')}."
        ]
    made = f"{format_count(result.written, 'record')} in {format_count(result.shards, 'shard')} ({result.format})"
    text = [f"{result.dest}: {made}, {format_bytes(result.bytes)}, {format_seconds(result.seconds)}"]
    text += [f"  failed   {printable(key)}: {printable(reason)}" for key, reason in result.failures[:10]]
    return text
