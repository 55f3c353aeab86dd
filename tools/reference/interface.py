"""Every public function and class."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import shardmill
from shardmill.cli.flags import argument_texts, summary
from shardmill.errors import ShardmillError
from tools.reference.markdown import escaped, field_texts


def page() -> str:
    """Every public function and class."""
    parts = ["# Python interface\n", "Everything here is imported from `shardmill`, when it is first used.\n"]
    public = {name: getattr(shardmill, name) for name in shardmill.__all__ if not name.startswith("_")}
    functions = {name: value for name, value in public.items() if inspect.isroutine(value)}
    classes = {name: value for name, value in public.items() if inspect.isclass(value)}
    parts.append("## Functions\n")
    for name, function in sorted(functions.items()):
        parts += _function(name, function)
    parts.append("## Results\n")
    for name, value in sorted(classes.items()):
        if not issubclass(value, BaseException):
            parts += _class(name, value)
    parts.append("## Errors\n")
    parts.append("| error | exit code | |\n|---|---|---|")
    errors = [value for value in classes.values() if issubclass(value, ShardmillError)]
    parts += [f"| `{each.__name__}` | {each.exit_code} | {_first_line(each)} |" for each in errors]
    return "\n".join(parts) + "\n"


def _function(name: str, function: Callable[..., Any]) -> Iterator[str]:
    signature = inspect.signature(function)
    yield f"### {name}\n"
    yield escaped(summary(function)) + "\n"
    texts = argument_texts(function)
    if texts:
        yield "| argument | default | |\n|---|---|---|"
        for argument, text in texts.items():
            default = signature.parameters[argument].default
            shown = "" if default is inspect.Parameter.empty else f"`{default!r}`"
            yield f"| `{argument}` | {shown} | {escaped(text)} |"
        yield ""
    returned, raised = _section(function, "Returns"), _section(function, "Raises")
    if returned:
        yield f"Returns `{_type_name(signature.return_annotation)}`: {escaped(returned)}\n"
    if raised:
        yield f"Raises {escaped(raised)}\n"


def _class(name: str, value: type) -> Iterator[str]:
    yield f"### {name}\n"
    yield escaped(inspect.cleandoc(value.__doc__ or "").partition("\n\n")[0]) + "\n"
    if dataclasses.is_dataclass(value):
        texts = field_texts(value)
        yield "| field | type | |\n|---|---|---|"
        for field in dataclasses.fields(value):
            kind = _type_name(field.type).replace("|", "\\|")
            yield f"| `{field.name}` | `{kind}` | {escaped(texts.get(field.name, ''))} |"
        yield ""
    methods = [
        (key, member)
        for key, member in vars(value).items()
        if not key.startswith("_") and isinstance(member, property | classmethod | type(_class))
    ]
    documented = [(key, _first_line(member)) for key, member in methods if inspect.getdoc(member)]
    if documented:
        yield "\n".join(f"- `{key}`: {text}" for key, text in documented) + "\n"


def _section(function: Callable[..., Any], title: str) -> str:
    text = inspect.cleandoc(function.__doc__ or "").partition(f"\n{title}:\n")[2].partition("\n\n")[0]
    entries: list[str] = []
    for line in text.splitlines():
        if entries and (title == "Returns" or line.startswith(" " * 8)):
            entries[-1] += " " + line.strip()
        else:
            entries.append(line.strip())
    return "; ".join(entry.rstrip(".") for entry in entries) + "." if entries else ""


def _type_name(annotation: Any) -> str:  # noqa: ANN401  # whatever stands in the signature
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _first_line(value: object) -> str:
    return escaped(re.sub(r"\s+", " ", (inspect.getdoc(value) or "").partition("\n\n")[0]))
