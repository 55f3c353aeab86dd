from __future__ import annotations

from pathlib import Path

import numpy as np

from shardmill.operations.verify.unique import SeenKeys, key_digest


def test_repeats_within_and_across_shards(tmp_path: Path) -> None:
    """Against a plain dictionary, with hundreds of keys to a bucket."""
    seen = SeenKeys(tmp_path)
    first: dict[str, tuple[int, int]] = {}
    expected = []
    for shard in range(5):
        keys = [f"key {number}" for number in range(shard * 4900, shard * 4900 + 5000)] + ["in all", "in all"]
        numbers = np.arange(len(keys), dtype=np.uint32) * 2  # every other record was damaged
        seen.add(shard, b"".join(map(key_digest, keys)), numbers)
        for number, key in zip(numbers.tolist(), keys, strict=True):
            if key in first:
                expected.append((shard, number, *first[key]))
            first.setdefault(key, (shard, number))
    assert len(expected) == 4 * 100 + 9
    assert sorted(seen.repeats()) == expected


def test_nothing_repeats(tmp_path: Path) -> None:
    seen = SeenKeys(tmp_path)
    assert list(seen.repeats()) == []
    seen.add(0, key_digest("a") + key_digest("b"), np.arange(2, dtype=np.uint32))
    assert list(seen.repeats()) == []
