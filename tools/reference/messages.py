"""Every error that is raised on purpose."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import shardmill
from shardmill import errors
from shardmill.errors import ShardmillError
from tools.reference.markdown import escaped


def page() -> str:
    """Every error that is raised on purpose, as it stands in the code."""
    parts = ["# Messages\n"]
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
        parts += [f"- {escaped(text)}" for text in sorted(texts, key=lambda text: text.lstrip("… ").lower())]
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
