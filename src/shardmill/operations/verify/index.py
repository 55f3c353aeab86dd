"""The index beside a shard."""

from __future__ import annotations

from collections.abc import Sequence

from shardmill.formats.base import Placement
from shardmill.operations.verify.collect import Collector


def compare_index(
    found: Collector, file: str, parsed: Sequence[Placement] | int, expected: Sequence[Placement]
) -> bool:
    """True where the index says where the records are; else tells the first difference.

    `parsed` is what the format made of the index.
    """
    if isinstance(parsed, int):
        found("index", f"line {parsed + 1} is none of an index", record=parsed, file=file)
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
