"""In which order an epoch visits the samples, and which of them fall to which rank.

An epoch is a row of positions 0, 1, 2 ... Which sample stands at a position follows from seed and epoch alone. Position
p belongs to rank p % world_size, so that all ranks together walk along the row, whatever their number; a state is the
position they have reached.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from shardmill.errors import UsageError

Ranks = Literal["exact", "even"]

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF


@dataclass(frozen=True)
class EpochOrder:
    """The order of `count` samples in one epoch.

    Sorting by hash, and not a generator of numpy's, whose streams may change from version to version.
    """

    count: int
    seed: int
    epoch: int
    shuffle: bool = True

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        start = _mix(np.array([self.seed & _MASK], np.uint64)) ^ np.uint64((self.epoch * _GOLDEN) & _MASK)
        with np.errstate(over="ignore"):
            keys = _mix(_mix(start) + np.arange(1, self.count + 1, dtype=np.uint64) * np.uint64(_GOLDEN))
        return np.argsort(keys, kind="stable")

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers of the samples at `positions`, each at least 0; behind the last, the row begins again."""
        wrapped = positions % max(self.count, 1)
        return self._order[wrapped] if self.shuffle else wrapped


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64: a bijection under which neighbours look unrelated.

    Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Share:
    """What of an epoch falls to one rank, from position `start` on.

    `exact`: every sample once, so that ranks may get one sample more or less than others. `even`: all ranks get the same
    number, either by taking up to `world_size - 1` samples again from the beginning of the row, or with `drop` by leaving
    as many out at its end.
    """

    count: int
    """Samples in the epoch."""
    rank: int = 0
    world_size: int = 1
    ranks: Ranks = "exact"
    drop: bool = False
    start: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world_size:
            raise UsageError(f"rank is {self.rank} of {self.world_size}; it takes a number from 0 to world_size - 1")

    def __len__(self) -> int:
        left = max(self.count - self.start, 0)
        if self.ranks == "exact":
            return max(-(-(left - self.rank) // self.world_size), 0)
        return left // self.world_size if self.drop else -(-left // self.world_size)

    def positions(self, first: int, behind: int) -> NDArray[np.int64]:
        """Positions in the epoch of this rank's samples `first` to `behind` - 1."""
        steps = np.arange(first, min(behind, len(self)), dtype=np.int64)
        return self.start + steps * self.world_size + self.rank

    def behind(self, samples: int) -> int:
        """The position that all ranks have reached when each has consumed `samples` of its share."""
        return min(self.start + samples * self.world_size, self.count)

    def from_position(self, start: int) -> Share:
        """The share of what is left from `start` on."""
        return replace(self, start=start)
