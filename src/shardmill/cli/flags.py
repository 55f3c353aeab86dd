"""Command-line flags from a function's signature and docstring, so that the two can never differ."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from shardmill.arguments import alternatives, items_of

_ARGUMENT: Final = re.compile(r"^ {4}(\w+): ")


def add_flags(
    parser: argparse.ArgumentParser, function: Callable[..., Any], groups: Mapping[str, str] | None = None
) -> None:
    """Give `parser` a positional for each positional parameter of `function`, and a flag for each keyword.

    Booleans become switches, literals choices, sequences repeatable flags; callables are left out. Literals or any text
    are choices that are shown, and completed, but not enforced. Help texts come from the `Args:` section.

    Args:
        groups: the heading under which a flag is listed, by parameter name; it holds for those after it too.
    """
    hints = get_type_hints(function)
    texts = argument_texts(function)
    target: Any = parser
    for name, parameter in inspect.signature(function).parameters.items():
        if groups and name in groups:
            target = parser.add_argument_group(groups[name])
        kind, many, choices = _shape(hints[name])
        if kind is None:
            continue
        options: dict[str, Any] = {"help": texts[name].replace("%", "%%")}
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            positional = parser.add_argument(name, metavar=name.upper(), choices=choices or None, **options)
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                positional.nargs = "*"
            elif parameter.default is not inspect.Parameter.empty:
                positional.nargs, positional.default = "?", parameter.default
            continue
        flag = "--" + name.replace("_", "-")
        if kind is bool:
            target.add_argument(flag, action="store_true", **options)
            continue
        if parameter.default not in (None, (), ""):
            options["help"] += f" [{str(parameter.default).replace('%', '%%')}]"
        options["choices" if choices else "type"] = choices or kind
        options["metavar"] = "{" + ",".join(choices) + "}" if choices else _METAVARS.get(kind, "TEXT")
        target.add_argument(
            flag,
            action="append" if many else "store",
            default=list(parameter.default) if many else parameter.default,
            **options,
        )


class _Suggestions(tuple[str, ...]):
    """Choices besides which any other is taken: plug-ins have names of their own."""

    __slots__ = ()

    def __contains__(self, word: object) -> bool:
        return True


_METAVARS: Final = {int: "N", float: "X", str: "TEXT"}


def argument_texts(function: Callable[..., Any]) -> dict[str, str]:
    """The entries of the `Args:` section of `function`'s docstring, each on one line."""
    documentation = inspect.cleandoc(function.__doc__ or "")
    section = documentation.partition("\nArgs:\n")[2].partition("\n\n")[0]
    texts: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if match := _ARGUMENT.match(line):
            name = match[1]
            texts[name] = line[match.end() :]
        else:
            texts[name] += " " + line.strip()
    return texts


def summary(function: Callable[..., Any]) -> str:
    """The docstring up to its first section."""
    return re.split(r"\n(?:Args|Returns|Raises|Yields):\n", inspect.cleandoc(function.__doc__ or ""))[0].strip()


def dashed(argv: Sequence[str]) -> list[str]:
    """`--foo_bar` as `--foo-bar`, since both are common."""
    return [re.sub(r"^--[\w-]+", lambda match: match[0].replace("_", "-"), word) for word in argv]


def _shape(hint: Any) -> tuple[type | None, bool, tuple[str, ...]]:  # noqa: ANN401  # a type expression
    """`(type of a value, repeatable, choices)`; the type is None for what has no place on a command line."""
    hint, *others = alternatives(hint)
    if get_origin(hint) is Literal:
        return str, False, _Suggestions(get_args(hint)) if str in others else get_args(hint)
    if (item := items_of(hint)) is not None:
        return item, True, ()
    return (hint, False, ()) if hint in (str, int, float, bool) else (None, False, ())
