"""Globs over relative paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from shardmill.errors import UsageError


def matcher(globs: Sequence[str], flag: str = "--include") -> Callable[[str], bool]:
    """Whether a relative path matches one of `globs`.

    `*` and `?` stop at `/`, `**/` stands for any folders, `[a-z]` and `[!a-z]` for one character. A glob without `/` is
    about the file name, wherever the file lies; one that begins with `/` is about the whole path.

    Raises:
        UsageError: a glob has an impossible range.
    """
    try:
        pattern = re.compile("|".join(f"(?:{_translate(glob)})" for glob in globs), re.DOTALL)
    except re.error as error:
        raise UsageError(
            f"{flag} {', '.join(globs)} is not a glob: {error}; write it like *.jpg or photos/**/*.png"
        ) from error
    return lambda path: pattern.fullmatch(path) is not None


def _translate(glob: str) -> str:
    parts = [] if "/" in glob else ["(?:.*/)?"]
    place = int(glob.startswith("/"))
    while place < len(glob):
        if glob.startswith("**/", place):
            parts.append("(?:.*/)?")
            place += 3
        elif glob.startswith("**", place):
            parts.append(".*")
            place += 2
        elif glob[place] == "*":
            parts.append("[^/]*")
            place += 1
        elif glob[place] == "?":
            parts.append("[^/]")
            place += 1
        elif glob[place] == "[" and (end := glob.find("]", place + 2)) != -1:
            inside = glob[place + 1 : end].replace("\\", r"\\").replace("[", r"\[")
            parts.append(f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]")
            place = end + 1
        else:
            parts.append(re.escape(glob[place]))
            place += 1
    return "".join(parts)
