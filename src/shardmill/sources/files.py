"""What SOURCE points at: a folder, one file, or several by a pattern."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shardmill.errors import UsageError
from shardmill.sources.globs import matcher
from shardmill.sources.locations import uri_of
from shardmill.sources.names import HIDDEN, suffix_of, to_text
from shardmill.storage import StorageSettings, Store, UnreadableError, open_store, scheme_of

_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_RANGE: Final = re.compile(r"(\d+)\.\.(\d+)")
_MAGIC: Final = re.compile(r"[*?\[{]")
_MAX_EXPANDED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """A store and, unless SOURCE is a folder, the files in it that SOURCE names, in its order."""

    store: Store
    names: tuple[str, ...] | None


def find_files(source: str, settings: StorageSettings | None = None) -> SourceFiles:
    """What is at the path, URL or pattern `source`; a path that exists is never taken for a pattern.

    Raises:
        UsageError: nothing is there.
    """
    source = uri_of(source)
    if not source:
        raise UsageError("SOURCE is empty; give a folder of images, a list, a tar or Parquet.")
    store = open_store(source, settings)
    if _is_folder(store):
        return SourceFiles(store, None)
    parent, name = _split(source)
    if scheme_of(parent) or not scheme_of(source):  # else SOURCE is a bucket as a whole, and empty
        store = open_store(parent, settings)
        if name and store.size(name) is not None:
            return SourceFiles(store, (name,))
        if _MAGIC.search(source):
            return _by_pattern(source, settings)
    raise UsageError(
        f"{source} does not exist{_suggestion(parent, name)}; give a folder of images, a list, a tar or Parquet."
    )


def files_with(store: Store, suffixes: Sequence[str]) -> tuple[tuple[str, ...], Counter[str]]:
    """The files of a folder with one of `suffixes`, hidden ones left out, and how many others there are by suffix."""
    found: list[str] = []
    others: Counter[str] = Counter()
    for entry in store.list():
        suffix = suffix_of(entry.path)
        if suffix in suffixes:
            found.append(entry.path)
        else:
            others[to_text(suffix)] += 1
    return tuple(found), others


def expand_braces(pattern: str) -> Iterator[str]:
    """`a-{0..2}.tar` as `a-0.tar`, `a-1.tar`, `a-2.tar`; `{a,b}` as its parts. A number keeps the width of the first.

    Raises:
        UsageError: a range goes downwards or is too long.
    """
    match = _BRACES.search(pattern)
    if match is None:
        yield pattern
        return
    bounds = _RANGE.fullmatch(match[1])
    if bounds is None:
        parts: Iterator[str] = iter(match[1].split(","))
    else:
        first, last, width = int(bounds[1]), int(bounds[2]), len(bounds[1])
        if not first <= last < first + _MAX_EXPANDED:
            raise UsageError(
                f"{match[0]} is no range of at most {_MAX_EXPANDED:,} files; write it like {{00000..00099}}"
            )
        parts = (f"{number:0{width}d}" for number in range(first, last + 1))
    for part in parts:
        yield from expand_braces(pattern[: match.start()] + part + pattern[match.end() :])


def _is_folder(store: Store) -> bool:
    """A folder of this machine may be empty; a bucket knows only those that hold something."""
    try:
        first = next(iter(store.list()), None)
    except UnreadableError as error:
        if error.reason != "not_found":
            raise
        return False
    return first is not None or not scheme_of(store.root)


def _split(source: str) -> tuple[str, str]:
    parent, slash, name = source.rstrip("/").rpartition("/")
    return parent or slash or ".", name


def _by_pattern(source: str, settings: StorageSettings | None) -> SourceFiles:
    first_magic = _MAGIC.search(source)
    fixed = source[: first_magic.start() if first_magic else None].rpartition("/")
    store, pattern = open_store(fixed[0] or fixed[1] or ".", settings), source[len(fixed[0] + fixed[1]) :]
    globs = list(expand_braces(pattern))
    plain = [glob for glob in globs if not _MAGIC.search(glob)]
    missing = [name for name in plain if store.size(name) is None]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UsageError(f"{source} names {missing[0]}{more}, which is not there; write the range of files that are.")
    if len(plain) == len(globs):
        return SourceFiles(store, tuple(plain))
    matches = matcher([f"/{glob}" for glob in globs], "SOURCE")
    if not _is_folder(store):
        raise UsageError(f"{source} matches no file; check the pattern.")
    found = tuple(entry.path for entry in store.list() if suffix_of(entry.path) != HIDDEN and matches(entry.path))
    if not found:
        raise UsageError(f"{source} matches no file; check the pattern.")
    return SourceFiles(store, found)


def _suggestion(parent: str, name: str) -> str:
    """The most similar name beside it, where that can be looked up cheaply."""
    folder = Path(parent).expanduser()
    if scheme_of(parent) or not folder.is_dir():
        return ""
    close = difflib.get_close_matches(name, sorted(path.name for path in folder.iterdir()), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
