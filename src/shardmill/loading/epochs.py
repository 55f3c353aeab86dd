"""What is asked of a loader, and where its consumer stands."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from shardmill.errors import UsageError
from shardmill.loading.order import EpochOrder, Ranks, Share
from shardmill.machine import available_cores
from shardmill.units import in_range

B = TypeVar("B")


class EpochOptions(TypedDict, total=False):
    """What every kind of loader takes."""

    shuffle: bool
    """Another order each epoch, which follows from seed and epoch alone. By default true."""
    seed: int
    """Of the order. By default 0."""
    drop_last: bool
    """Leave out a last batch that is not full. By default false."""
    rank: int
    """Which of the ranks this is. By default 0; for PyTorch, as `torch.distributed` says."""
    world_size: int
    """Ranks that share the samples. By default 1; for PyTorch, as `torch.distributed` says."""
    ranks: Ranks | None
    """`exact`: each sample to one rank, once. `even`: as many samples to each rank. By default even where there are several."""
    drop_uneven: bool
    """Make it even by leaving samples out at the end, instead of giving some twice. By default false."""
    num_threads: int | None
    """Threads that decode, in each process that does. By default one a core."""
    readahead: int
    """Batches on their way beyond the one that is consumed, in each process. By default 2."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a loader, apart from where it stands."""

    share: Share
    """Of an epoch, from position 0."""
    batch_size: int
    seed: int
    shuffle: bool
    drop_last: bool
    num_threads: int | None
    readahead: int
    decode: bool = True

    def batches_in(self, share: Share) -> int:
        """Batches in a share of an epoch."""
        return len(share) // self.batch_size if self.drop_last else -(-len(share) // self.batch_size)

    def numbers(self, share: Share, order: EpochOrder, batch: int) -> NDArray[np.int64]:
        """Which samples are in a batch of a share."""
        first = batch * self.batch_size
        return order.at(share.positions(first, first + self.batch_size))

    def threads(self, processes: int = 1) -> int:
        """Threads that decode, where that many processes share the cores."""
        return self.num_threads or max(available_cores() // processes, 1)


def make_plan(
    count: int,
    batch_size: int,
    *,
    shuffle: bool = True,
    seed: int = 0,
    drop_last: bool = False,
    rank: int = 0,
    world_size: int = 1,
    ranks: Ranks | None = None,
    drop_uneven: bool = False,
    num_threads: int | None = None,
    readahead: int = 2,
    decode: bool = True,
) -> Plan:
    """The plan for `count` samples; see `EpochOptions`.

    Raises:
        UsageError: a number is out of range.
    """
    in_range("world_size", world_size, 1)
    if ranks not in (None, "exact", "even"):
        raise UsageError(f"ranks is {ranks!r}; it takes exact or even")
    if num_threads is not None:
        in_range("num_threads", num_threads, 1)
    return Plan(
        share=Share(count, rank, world_size, ranks or ("even" if world_size > 1 else "exact"), drop_uneven),
        batch_size=in_range("batch_size", batch_size, 1),
        seed=seed,
        shuffle=shuffle,
        drop_last=drop_last,
        num_threads=num_threads,
        readahead=in_range("readahead", readahead, 0),
        decode=decode,
    )


class EpochLoader(Generic[B]):
    """Epoch after epoch of batches: each `for` goes through one, the next one through the next.

    What was handed out counts as consumed, what was read ahead does not. A loop that was left begins the same epoch
    again; after `load_state_dict`, the next loop goes on behind the last batch that had been consumed.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.epoch = 0
        self._start = self._reached = 0

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        return self._plan.batches_in(self._plan.share)

    def set_epoch(self, epoch: int) -> None:
        """Let the next loop go through this epoch, from its beginning."""
        self.epoch, self._start, self._reached = epoch, 0, 0

    def state_dict(self) -> dict[str, int]:
        """Where the consumer stands: plain numbers, the same on all ranks at the same step."""
        return {"epoch": self.epoch, "position": self._reached, **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Stand where the state says. Batch size, workers and the number of ranks may be others than then.

        Raises:
            UsageError: the state is of another data set, seed or order.
        """
        self.epoch, self._start = _restored(state, self._identity())
        self._reached = self._start

    def _identity(self) -> dict[str, int]:
        return {"samples": self._plan.share.count, "seed": self._plan.seed, "shuffle": int(self._plan.shuffle)}

    def __iter__(self) -> Iterator[B]:
        plan, start, epoch = self._plan, self._start, self.epoch
        self._start, self._reached = 0, start
        share = plan.share.from_position(start)
        order = EpochOrder(share.count, plan.seed, epoch, plan.shuffle)
        for number, batch in enumerate(self._batches(share, order), 1):
            self._reached = share.behind(number * plan.batch_size)
            yield batch
        self.epoch, self._reached = epoch + 1, 0

    @abstractmethod
    def _batches(self, share: Share, order: EpochOrder) -> Iterator[B]:
        """The batches of a share of an epoch, in order."""
        ...


def _restored(state: Mapping[str, Any], identity: Mapping[str, int]) -> tuple[int, int]:
    """Epoch and position of a state that fits a loader of this `identity`."""
    try:
        epoch, position = int(state["epoch"]), int(state["position"])
        then = {name: int(state[name]) for name in identity}
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"the state lacks {error}; give what state_dict() of a loader returned.") from error
    for name, now in identity.items():
        if then[name] != now:
            raise UsageError(f"the state is of a run with {name} {then[name]}, this loader has {now}; make them agree.")
    if not 0 <= position <= identity["samples"] or epoch < 0:
        raise UsageError(f"the state has position {position} in epoch {epoch}, which does not exist.")
    return epoch, position
