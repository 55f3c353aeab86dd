"""From the words of a command line to the keyword arguments of the command's function."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from inspect import signature
from typing import Any, NoReturn

from shardmill.cli.flags import add_flags, dashed, summary
from shardmill.errors import UsageError


class Parser(argparse.ArgumentParser):
    """A parser whose errors are like all others."""

    def error(self, message: str) -> NoReturn:
        """One line, as every other error has it."""
        self.exit(UsageError.exit_code, f"{self.prog}: {message}; see {self.prog} --help\n")


@dataclass(frozen=True, slots=True)
class Command:
    """A command line made from a public function."""

    name: str
    function: Callable[..., Any]
    examples: str = ""
    """Lines for the end of the help."""
    groups: Mapping[str, str] | None = None
    """The heading under which a flag is listed; see `flags.add_flags`."""
    reports: bool = True
    """There is a result, so that `--json` prints it."""

    def parser(self) -> Parser:
        """Flags from the function's signature, help from its docstring."""
        parser = Parser(
            prog=f"shardmill {self.name}",
            description=summary(self.function),
            epilog=f"examples:\n{self.examples}" if self.examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        add_flags(parser, self.function, self.groups)
        if self.reports:
            parser.add_argument("--json", action="store_true", help="Print the result as JSON on stdout.")
        return parser

    def parse(self, words: Sequence[str]) -> tuple[dict[str, Any], bool]:
        """The arguments for the function, and whether `--json` was given."""
        many = next(
            (name for name, each in signature(self.function).parameters.items() if each.kind is each.VAR_POSITIONAL),
            None,
        )
        rest: list[str] = []
        if many is not None and "--" in words:  # argparse takes none of them once a flag has come before
            place = list(words).index("--")
            words, rest = words[:place], list(words[place + 1 :])
        arguments = vars(self.parser().parse_args(dashed(words)))
        if many is not None:
            arguments[many] = [*arguments[many], *rest]
        return arguments, arguments.pop("json", False)


def print_json(result: Any) -> None:  # noqa: ANN401  # any of the result dataclasses
    """The result as JSON on stdout."""
    json.dump(asdict(result), sys.stdout, indent=1, default=str)
    print()
