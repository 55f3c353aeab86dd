"""From the words of a command line to the keyword arguments of the command's function."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NoReturn

from shardmill.cli.flags import add_flags, dashed, summary
from shardmill.errors import UsageError


class Parser(argparse.ArgumentParser):
    """A parser whose errors are like all others."""

    def error(self, message: str) -> NoReturn:
        """One line, as every other error has it."""
        self.exit(UsageError.exit_code, f"{self.prog}: {message}; see {self.prog} --help\n")


def parse(
    name: str,
    function: Callable[..., Any],
    words: Sequence[str],
    *,
    groups: Mapping[str, str] | None = None,
    examples: str = "",
    reports: bool = True,
) -> tuple[dict[str, Any], bool]:
    """The arguments for `function`, and whether `--json` was given (which commands that `report` take)."""
    parser = Parser(
        prog=f"shardmill {name}",
        description=summary(function),
        epilog=f"examples:\n{examples}" if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_flags(parser, function, groups)
    if reports:
        parser.add_argument("--json", action="store_true", help="Print the result as JSON on stdout.")
    arguments = vars(parser.parse_args(dashed(words)))
    return arguments, arguments.pop("json", False)


def print_json(result: Any) -> None:  # noqa: ANN401  # any of the result dataclasses
    """The result as JSON on stdout."""
    json.dump(asdict(result), sys.stdout, indent=1, default=str)
    print()
