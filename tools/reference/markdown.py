"""Tables and texts in Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable


def escaped(text: str) -> str:
    """`text` without what Markdown would take for its own, but for code in backticks."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table whose first column is set as code."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += [f"| `{name}` | " + " | ".join(rest) + " |" for name, *rest in rows]
    return "\n".join(lines) + "\n"


def field_texts(value: type) -> dict[str, str]:
    """The strings that stand under the fields of a dataclass."""
    pattern = re.compile(r'^    (\w+): [^\n]+\n    """(.*?)"""', re.MULTILINE | re.DOTALL)
    return {match[1]: re.sub(r"\s+", " ", match[2]) for match in pattern.finditer(inspect.getsource(value))}
