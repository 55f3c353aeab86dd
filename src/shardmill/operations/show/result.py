"""What `show` returns."""

from __future__ import annotations

from dataclasses import dataclass

from shardmill.operations.show.facts import SetFacts
from shardmill.shown import Shown


@dataclass(frozen=True, slots=True)
class ShowResult(Shown):
    """What `show` saw, and where it drew it."""

    dest: str
    name: str
    """Of the data set, for titles."""
    sheet: str
    """The contact sheet's file, a PNG."""
    shown: int
    """Pictures on it."""
    shown_sizes: dict[str, int]
    """`192x192`: how many of the pictures are of that size in the shards."""
    damage: tuple[tuple[str, str], ...]
    """Shard and what is wrong, of the records that were to be shown."""
    facts: SetFacts
