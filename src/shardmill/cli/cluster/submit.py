"""`shardmill cluster submit`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from shardmill.cli.jobs import check_words
from shardmill.cli.parse import Command, print_json
from shardmill.operations.cluster.submit import JobResult, cluster_submit
from shardmill.units import format_seconds, printable

_GROUPS: Final = {"app": "a plain Spark application", "conf": "the job"}
_EXAMPLES: Final = """\
  shardmill cluster submit photos -- prepare gs://b/photos gs://b/shards --num-shards 32
  shardmill cluster submit photos --timeout 3600 -- verify gs://b/shards
  shardmill cluster submit photos --app count.py -- gs://b/photos
"""

COMMAND: Final = Command("cluster submit", cluster_submit, groups=_GROUPS, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    result = cluster_submit(
        arguments.pop("cluster"), *arguments.pop("words"), **arguments, check_words=check_words, on_output=_pass_on
    )
    if as_json:
        print_json(result)
    else:
        print("\n".join(_lines(result)))
    if result.state == "done":
        return 0
    return result.exit_code or 1


def _pass_on(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _lines(result: JobResult) -> list[str]:
    text = [f"job {result.job} on {printable(result.cluster)}: {result.state}, {format_seconds(result.elapsed_s)}"]
    if result.state != "done":
        return [
            *text,
            f"  {printable(result.error.strip().splitlines()[-1] if result.error.strip() else 'no reason told')}",
        ]
    if result.result is not None:
        plain = {name: value for name, value in asdict(result.result).items() if isinstance(value, str | int | float)}
        text += [f"  {name.replace('_', ' '):<18}{printable(str(value))}" for name, value in plain.items()]
    return text
