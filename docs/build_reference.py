"""Writes docs/reference/ from the code: `python docs/build_reference.py`; `--check` only compares, as the tests do."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import shardmill
from shardmill import errors
from shardmill.cli.flags import argument_texts, summary
from shardmill.cli.main import COMMANDS
from shardmill.errors import ShardmillError

FOLDER: Final = Path(__file__).parent / "reference"
_NOTE: Final = "<!-- written by docs/build_reference.py; change the code instead -->\n"


def command_page() -> str:
    """Every command with its flags."""
    parts = [_NOTE, "# Commands\n", "`shardmill COMMAND --help` says the same in the terminal.\n"]
    parts += ["\n".join(f"- [`{name}`](#{name}): {text}" for name, text in COMMANDS.items()) + "\n"]
    for name in COMMANDS:
        command = import_module(f"shardmill.cli.{name}").COMMAND
        parts += [f"## {name}\n", *_command(command.parser(), command.examples)]
    return "\n".join(parts)


def _command(parser: argparse.ArgumentParser, examples: str) -> Iterator[str]:
    yield _escaped(parser.description or "") + "\n"
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
    return f"| `{(name + value).replace('|', chr(92) + '|')}` | {_escaped((action.help or '').replace('%%', '%'))} |"


def interface_page() -> str:
    """Every public function and class."""
    parts = [_NOTE, "# Python interface\n", "Everything here is imported from `shardmill`, when it is first used.\n"]
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
    yield _escaped(summary(function)) + "\n"
    texts = argument_texts(function)
    if texts:
        yield "| argument | default | |\n|---|---|---|"
        for argument, text in texts.items():
            default = signature.parameters[argument].default
            shown = "" if default is inspect.Parameter.empty else f"`{default!r}`"
            yield f"| `{argument}` | {shown} | {_escaped(text)} |"
        yield ""
    returned, raised = _section(function, "Returns"), _section(function, "Raises")
    if returned:
        yield f"Returns `{_type_name(signature.return_annotation)}`: {_escaped(returned)}\n"
    if raised:
        yield f"Raises {_escaped(raised)}\n"


def _class(name: str, value: type) -> Iterator[str]:
    yield f"### {name}\n"
    yield _escaped(inspect.cleandoc(value.__doc__ or "").partition("\n\n")[0]) + "\n"
    if dataclasses.is_dataclass(value):
        texts = _field_texts(value)
        yield "| field | type | |\n|---|---|---|"
        for field in dataclasses.fields(value):
            kind = _type_name(field.type).replace("|", "\\|")
            yield f"| `{field.name}` | `{kind}` | {_escaped(texts.get(field.name, ''))} |"
        yield ""
    methods = [
        (key, member)
        for key, member in vars(value).items()
        if not key.startswith("_") and isinstance(member, property | classmethod | type(_class))
    ]
    documented = [(key, _first_line(member)) for key, member in methods if inspect.getdoc(member)]
    if documented:
        yield "\n".join(f"- `{key}`: {text}" for key, text in documented) + "\n"


def _field_texts(value: type) -> dict[str, str]:
    """The strings that stand under the fields of a dataclass."""
    pattern = re.compile(r'^    (\w+): [^\n]+\n    """(.*?)"""', re.MULTILINE | re.DOTALL)
    return {match[1]: re.sub(r"\s+", " ", match[2]) for match in pattern.finditer(inspect.getsource(value))}


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
    return _escaped(re.sub(r"\s+", " ", (inspect.getdoc(value) or "").partition("\n\n")[0]))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def messages_page() -> str:
    """Every error that is raised on purpose, as it stands in the code."""
    parts = [_NOTE, "# Messages\n"]
    parts.append(
        "What shardmill says when it refuses or stops, by exit code, with … for what differs from case to case. Look for the words\n"
        "that you see. Each message ends with what to do.\n"
    )
    by_code: dict[int, set[str]] = {}
    for path in sorted(Path(shardmill.__file__).parent.rglob("*.py")):
        for name, text in _raised(ast.parse(path.read_text())):
            by_code.setdefault(_ERRORS[name].exit_code, set()).add(text)
    for code, texts in sorted(by_code.items()):
        parts.append(f"## Exit code {code}\n\n{_CODES[code]}\n")
        parts += [f"- {_escaped(text)}" for text in sorted(texts, key=lambda text: text.lstrip("… ").lower())]
        parts.append("")
    return "\n".join(parts)


_ERRORS: Final = {
    name: value for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, ShardmillError)
}
_CODES: Final = {
    1: "The run failed.",
    2: "The request cannot be carried out as it stands; nothing was changed.",
    3: "The run stopped before its end; what is published stays valid, and the same command continues.",
    4: "More inputs failed than the request allows.",
    5: "A data set is incomplete, or its bytes are not those that were written.",
}


def _raised(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Class and text of each error that is made with a text of its own."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ERRORS and node.args:
            text = re.sub(r"\s+", " ", re.sub(r"…(\s*…)+", "…", _template(node.args[0])))
            if re.search(r"\w{3}", text):
                yield node.func.id, text


def _template(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_template(value) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _template(left) + _template(right)
    return "…"


PAGES: Final = {"commands.md": command_page, "interface.md": interface_page, "messages.md": messages_page}


def stale() -> list[str]:
    """The pages that are not what the code says."""
    return [
        name for name, make in PAGES.items() if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != make()
    ]


def main() -> int:
    """Write the pages, or with `--check` name those that are stale."""
    if "--check" in sys.argv[1:]:
        for name in stale():
            print(f"docs/reference/{name} is stale; run: python docs/build_reference.py", file=sys.stderr)
        return bool(stale())
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make())
    return 0


if __name__ == "__main__":
    sys.exit(main())
