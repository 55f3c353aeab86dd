"""Walks the keys of a bucket as if they were folders, in the order in which a file system is walked."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Final, cast

from shardmill.storage.objects import Page
from shardmill.storage.window import in_order

_FOLDERS_AHEAD: Final = 16

Name = tuple[str, bool, int | None]
"""Of what lies in a folder: its name there, whether it is a folder, its bytes."""
Ask = Callable[[str, str | None], Page]
"""One page of what lies directly below a key prefix, from a token on."""
Found = Generator[tuple[str, int | None], None, None]


def names_in(folder: str, ask: Ask) -> list[Name]:
    """All that lies directly below the key prefix `folder`, sorted; memory grows with that, as it does for a real folder."""
    found: list[Name] = []
    token: str | None = None
    while True:
        page = ask(folder, token)
        found += [
            (key.removeprefix(folder), False, size)
            for key, size in page.objects
            if not key.endswith("/")  # what consoles put there so that an empty folder shows
        ]
        found += [(prefix.removeprefix(folder).removesuffix("/"), True, None) for prefix in page.prefixes]
        token = page.next_token
        if token is None:
            return sorted(found, key=lambda name: name[:2])


def walk(folder: str, names: Sequence[Name], ask: Ask) -> Found:
    """Key and bytes of every object below `folder`, which directly holds `names`; depth first.

    A store answers about one folder at a time, some tens of milliseconds each, so the next few are asked for ahead of
    their turn. A flat listing of all keys would cost fewer requests, but comes in another order (`a.txt` before `a/b`),
    one page after the other, and tells nothing before its last page about which folder is the first.
    """
    folders = (name for name, is_folder, _ in names if is_folder)
    ahead = in_order(lambda name: names_in(f"{folder}{name}/", ask), folders, _FOLDERS_AHEAD)
    try:
        for name, is_folder, size in names:
            if is_folder:
                _, inside = next(ahead)
                yield from walk(f"{folder}{name}/", inside(), ask)
            else:
                yield f"{folder}{name}", size
    finally:
        cast("Generator[object, None, None]", ahead).close()
