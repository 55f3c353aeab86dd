"""Finds repeats among the keys of a whole data set in bounded memory: digests are bucketed on disk, then sorted."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

_ENTRY: Final = np.dtype([("high", "<u8"), ("low", "<u8"), ("shard", "<u4"), ("record", "<u4")])
_BUCKETS: Final = 64


def key_digest(key: str) -> bytes:
    """128 bits: two different keys among a billion agree with a probability of one in 10^20."""
    return blake2b(key.encode(), digest_size=16).digest()


class SeenKeys:
    """Collects digests in files under `folder`. One thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, shard: int, digests: bytes, records: NDArray[np.uint32]) -> None:
        """The keys of some records of a shard; `records`, shape (n,), are their numbers."""
        words = np.frombuffer(digests, "<u8").reshape(-1, 2)
        entries = np.empty(len(words), _ENTRY)
        entries["high"], entries["low"] = words[:, 0], words[:, 1]
        entries["shard"], entries["record"] = shard, records
        buckets = words[:, 0] % _BUCKETS
        for bucket in np.unique(buckets):
            with self._path(int(bucket)).open("ab") as file:
                file.write(entries[buckets == bucket].tobytes())

    def repeats(self) -> Iterator[tuple[int, int, int, int]]:
        """`(shard, record, first shard, first record)` of every record whose key an earlier record has."""
        for bucket in range(_BUCKETS):
            path = self._path(bucket)
            if path.exists():
                entries = np.fromfile(path, _ENTRY)
                order = np.lexsort([entries[name] for name in ("record", "shard", "low", "high")])
                yield from _repeats(entries[order])

    def _path(self, bucket: int) -> Path:
        return self._folder / f"keys-{bucket:02d}"


def _repeats(entries: NDArray[np.void]) -> Iterator[tuple[int, int, int, int]]:
    same = (entries["high"][1:] == entries["high"][:-1]) & (entries["low"][1:] == entries["low"][:-1])
    first = 0
    for place in (np.flatnonzero(same) + 1).tolist():
        if place == 1 or not same[place - 2]:
            first = place - 1
        one, other = entries[first], entries[place]
        yield int(other["shard"]), int(other["record"]), int(one["shard"]), int(one["record"])
