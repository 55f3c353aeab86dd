"""`shardmill completion`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Final, Literal

import shtab

from shardmill.cli.main import COMMANDS, module_of
from shardmill.cli.parse import Command, Parser

_EXAMPLES: Final = """\
  source <(shardmill completion bash)                                    now, and from ~/.bashrc
  shardmill completion zsh > "${fpath[1]}/_shardmill"
  shardmill completion fish > ~/.config/fish/completions/shardmill.fish
"""


def completion(shell: Literal["bash", "fish", "tcsh", "zsh"]) -> str:
    """Print a script that completes shardmill's commands and flags.

    Args:
        shell: Your shell.
    """
    return shtab.complete(whole_parser(), shell)


COMMAND: Final = Command("completion", completion, _EXAMPLES, reports=False)


def run(words: Sequence[str]) -> int:
    arguments, _ = COMMAND.parse(words)
    print(completion(**arguments))
    return 0


def whole_parser() -> argparse.ArgumentParser:
    """All commands in one parser; places on the command line are completed as files."""
    parser = Parser(prog="shardmill")
    families = {"": parser.add_subparsers()}
    for name, text in COMMANDS.items():
        command: Command = import_module(module_of(name)).COMMAND
        family, _, last = name.rpartition(" ")
        if family not in families:
            families[family] = families[""].add_parser(family, help=f"{family} ...").add_subparsers()
        child = families[family].add_parser(last, help=text, parents=[command.parser()], add_help=False)
        for action in child._get_positional_actions():
            if not action.choices:
                action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab's own convention
    return parser
