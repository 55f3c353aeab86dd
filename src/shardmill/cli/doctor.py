"""`shardmill doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.operations.doctor import doctor, lines

_EXAMPLES: Final = """\
  shardmill doctor
  shardmill doctor --deep
  shardmill doctor --json > doctor.json
"""

COMMAND: Final = Command("doctor", doctor, _EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    report = doctor(**arguments)
    if as_json:
        print_json(report)
    else:
        print("\n".join(lines(report)))
    return 0 if report.healthy else 1
