"""Takes Markdown pages apart: their fenced blocks, their links, their headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]
EXAMPLES: Final = REPOSITORY / "docs" / "how-to" / "examples"

_FENCE: Final = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    language: str
    marks: tuple[str, ...]
    """The words behind the language: `exits-5`, `cloud` ..."""
    text: str

    @property
    def file(self) -> str:
        """The file whose content it is; empty where it is none."""
        return next((mark.removeprefix("file=") for mark in self.marks if mark.startswith("file=")), "")


def pages() -> list[Path]:
    """Every Markdown page of the repository."""
    return [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def how_to_pages() -> list[Path]:
    """The pages that are followed step by step."""
    return sorted((REPOSITORY / "docs" / "how-to").glob("*.md"))


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for match in _FENCE.finditer(page):
        language, *marks = match[1].split() or [""]
        yield Block(language, tuple(marks), match[2])


def links(page: str) -> list[str]:
    """Where a page's links and pictures lead, as written."""
    return _LINK.findall(_FENCE.sub("", page))


def anchors(page: str) -> set[str]:
    """The fragments that lead to a page's headings, as GitHub makes them."""
    titles = _HEADING.findall(_FENCE.sub("", page))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}
