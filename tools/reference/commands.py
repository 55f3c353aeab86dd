"""Every command with its flags."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator
from importlib import import_module

from shardmill.cli.main import COMMANDS, module_of
from tools.reference.markdown import escaped


def page() -> str:
    """Every command with its flags."""
    parts = ["# Commands\n", "`shardmill COMMAND --help` says the same in the terminal.\n"]
    parts += ["\n".join(f"- [`{name}`](#{name}): {text}" for name, text in COMMANDS.items()) + "\n"]
    for name in COMMANDS:
        command = import_module(module_of(name)).COMMAND
        parts += [f"## {name}\n", *_command(command.parser(), command.examples)]
    return "\n".join(parts)


def _command(parser: argparse.ArgumentParser, examples: str) -> Iterator[str]:
    yield escaped(parser.description or "") + "\n"
    positional = [action for action in parser._actions if not action.option_strings]
    yield f"```\n{parser.prog} {' '.join(str(action.metavar) for action in positional)} [OPTIONS]\n```\n"
    if examples:
        yield f"```\n{inspect.cleandoc(examples)}\n```\n"
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if "--help" not in action.option_strings]
        if not actions:
            continue
        yield "| " + ("argument" if group.title == "positional arguments" else group.title or "") + " | |\n|---|---|"
        yield "\n".join(_row(action) for action in actions) + "\n"


def _row(action: argparse.Action) -> str:
    name = action.option_strings[0] if action.option_strings else str(action.metavar)
    value = "" if not action.option_strings or action.nargs == 0 else f" {action.metavar}"
    return f"| `{(name + value).replace('|', chr(92) + '|')}` | {escaped((action.help or '').replace('%%', '%'))} |"
