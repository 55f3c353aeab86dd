"""Everything that a sample's key decides: its place in the shuffle and its side of a split.

a, b    uint64 (n,)   two halves of the BLAKE2b-128 digest of the key, before repeats are numbered
order   uint64 (n,)   place in the shuffle, ascending
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_GOLDEN: Final = 0x9E3779B97F4A7C15
_SPLIT_STREAM: Final = np.uint64(0x5348415244535054)
_WORD: Final = 2**64


def key_digests(keys: Iterable[str]) -> tuple[Words, Words]:
    """`(a, b)` of each key. Keys may hold surrogates that stand for bytes of undecodable file names."""
    joined = b"".join([blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).digest() for key in keys])
    words = np.frombuffer(joined, dtype="<u8").reshape(-1, 2).astype(np.uint64)
    return words[:, 0], words[:, 1]


def shuffle_order(b: Words, seed: int, repeat: Words) -> Words:
    """Place of each sample in the seeded shuffle, from its key's digest and the number of its repeat (0 for the first)."""
    salt = _mix(np.array([seed % _WORD], dtype=np.uint64))[0]
    return _mix(b ^ salt ^ (repeat * np.uint64(_GOLDEN)))


def split_by_ratio(a: Words, ratios: Sequence[tuple[str, float]]) -> NDArray[np.int64]:
    """Index into `ratios` for each digest.

    The digest alone decides, whatever else is listed and whatever the shuffle's seed, so that adding images moves none.
    Ratios are positive and add up to 1.
    """
    bounds = np.cumsum([ratio for _, ratio in ratios])[:-1]
    position = _mix(a ^ _SPLIT_STREAM).astype(np.float64) / _WORD
    return np.searchsorted(bounds, position, side="right").astype(np.int64)


def _mix(words: Words) -> Words:
    """The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection that looks random."""
    with np.errstate(over="ignore"):
        mixed = words + np.uint64(_GOLDEN)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
