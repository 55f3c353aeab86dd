"""The pages and where they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tools.reference import commands, files, interface, messages

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"

_PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "commands.md": commands.page,
    "files.md": files.page,
    "interface.md": interface.page,
    "messages.md": messages.page,
}
_NOTE: Final = "<!-- written by `./run reference`; change the code instead -->\n\n"


def stale() -> list[str]:
    """The pages that are not what the code says."""
    return [name for name in _PAGES if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != _text(name)]


def write() -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for name in _PAGES:
        (FOLDER / name).write_text(_text(name))


def _text(name: str) -> str:
    return _NOTE + _PAGES[name]()
