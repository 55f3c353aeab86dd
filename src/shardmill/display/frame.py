"""The frame around what is shown: its style, which holds for itself alone, in the colours of the notebook's theme."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final
from urllib.parse import quote

from shardmill.report.html import Element, Node, element, write

_OURS: Final = ".shardmill.shardmill.shardmill"
"""Said thrice, it outweighs what Jupyter has to say about tables and lists."""


def framed(title: str, parts: Sequence[Node]) -> str:
    """`parts` under `title` as HTML that can stand anywhere: no script, no request, text only ever as text."""
    whole = element("div", element("p", title, class_="result"), *map(_with_titles, parts), class_="shardmill")
    return f"<style>{_style()}</style>{write(whole)}"


def file_link(path: str) -> Element:
    """A link to a file of this machine, as a notebook server finds it: relative to the notebook's folder where it lies below.

    The page of a report has no such links; this is the one place that makes one.
    """
    whole = Path(path).resolve()
    try:
        address = whole.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return Element("a", (("href", whole.as_uri()),), (path,))
    return Element("a", (("href", quote(f".{os.sep}{address}")), ("target", "_blank")), (path,))


def _with_titles(node: Node) -> Node:
    """Browsers show titles under the pointer by themselves: the report's own tips need a script."""
    if isinstance(node, str):
        return node
    children = tuple(map(_with_titles, node.children))
    tip = dict(node.attributes).get("data-tip")
    if tip is not None:
        children = (element("title", tip), *children)
    kept = tuple(pair for pair in node.attributes if pair[0] not in ("data-tip", "tabindex"))
    return Element(node.name, kept, children)


@cache
def _style() -> str:
    """The report's style for parts, nested so that it reaches no further, and the colours of light and dark notebooks."""
    folder = resources.files("shardmill.report") / "assets"
    parts = (folder / "parts.css").read_text(encoding="utf-8")
    frame = (resources.files("shardmill.display") / "notebook.css").read_text(encoding="utf-8")
    return f"{frame}\n{_OURS} {{\n{parts}}}\n"
