"""HTML and SVG as values, in which text can only ever be text.

A page is a tree of `Element`s whose leaves are strings; a string is escaped when the tree is written, and there is no way
to put markup into one. What could run or fetch something is refused when an element is made: elements like `script`,
attributes like `onclick` or `style`, and links that leave the page.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from shardmill.units import printable

Value = str | int | float | bool | None

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_ATTRIBUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_REFUSED: Final = frozenset(
    {"script", "style", "iframe", "object", "embed", "link", "meta", "base", "form", "foreignObject"}
)
_VOID: Final = frozenset({"br", "col", "hr", "img", "wbr"})
_LINKS: Final = frozenset({"href", "src"})
_PICTURES: Final = {"png": "image/png", "jpeg": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Element:
    """One element; made by `element`, which checks it."""

    name: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple[Element | str, ...]


Node = Element | str


def element(name: str, *children: Node, **attributes: Value) -> Element:
    """An element of HTML or SVG.

    Args:
        name: Such as `p` or `circle`.
        children: Elements, and text as it came, not escaped.
        attributes: `class_` stands for `class`, `aria_label` for `aria-label`, `viewBox` for itself. None and False leave
            the attribute out, True writes it without a value.

    Raises:
        ValueError: the element or an attribute could run or fetch something, or is misspelt.
    """
    if not _NAME.fullmatch(name) or name in _REFUSED:
        raise ValueError(f"{name!r} is no element for a report")
    written = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        if not _ATTRIBUTE.fullmatch(attribute) or attribute == "style" or attribute.lower().startswith("on"):
            raise ValueError(f"{attribute!r} is no attribute for a report")
        text = "" if value is True else _number(value) if isinstance(value, float) else str(value)
        if attribute in _LINKS and not text.startswith(("#", *(f"data:{kind};base64," for kind in _PICTURES.values()))):
            raise ValueError(
                f"{attribute}={text[:40]!r} leaves the page; a report links to itself and carries its pictures"
            )
        written.append((attribute, text))
    return Element(name, tuple(written), children)


def picture(content: bytes, kind: str, alternative: str, **attributes: Value) -> Element:
    """An `img` that carries its bytes; `kind` is png or jpeg, `alternative` what it shows, in words."""
    address = f"data:{_PICTURES[kind]};base64,{base64.b64encode(content).decode('ascii')}"
    return element("img", src=address, alt=alternative, **attributes)


def write(node: Node) -> str:
    """The markup of `node`."""
    return "".join(_pieces(node))


def text_of(node: Node) -> str:
    """The text in `node`, without markup."""
    return node if isinstance(node, str) else "".join(text_of(child) for child in node.children)


def _pieces(node: Node) -> Iterator[str]:
    if isinstance(node, str):
        yield _escaped(node)
        return
    yield f"<{node.name}"
    for name, value in node.attributes:
        yield f' {name}="{_escaped(value)}"'
    yield ">"
    if node.name in _VOID:
        return
    for child in node.children:
        yield from _pieces(child)
    yield f"</{node.name}>"


def _escaped(text: str) -> str:
    """Safe between tags and in quotes; control, surrogate and direction characters are spelt out, lines kept."""
    return escape("\n".join(map(printable, text.split("\n"))))


def _number(value: float) -> str:
    """Two decimals are a fiftieth of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
