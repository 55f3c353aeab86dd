"""The index beside a shard: `offset length` a line."""

from __future__ import annotations

from collections.abc import Sequence

from shardmill.formats.base import Placement
from shardmill.operations.verify.collect import Collector


def parse_index(content: bytes) -> list[Placement] | int:
    """The placements, or the number (from 0) of the first line that is none."""
    placements = []
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n") if content else []):
        words = line.split(b" ")
        if len(words) != 2 or not all(word.isdigit() for word in words):
            return number
        placements.append(Placement(int(words[0]), int(words[1])))
    return placements


def compare_index(found: Collector, file: str, content: bytes, expected: Sequence[Placement]) -> bool:
    """True where the index says where the records are; else tells the first difference."""
    parsed = parse_index(content)
    if isinstance(parsed, int):
        found("index", f"line {parsed + 1} is not 'offset length'", record=parsed, file=file)
        return False
    for number, (said, true) in enumerate(zip(parsed, expected, strict=False)):
        if said != true:
            detail = (
                f"line {number + 1} says {said.offset} {said.length}, the record lies at {true.offset} {true.length}"
            )
            found("index", detail, record=number, offset=true.offset, file=file)
            return False
    if len(parsed) != len(expected):
        found("index", f"it has {len(parsed)} lines for {len(expected)} records", file=file)
        return False
    return True
