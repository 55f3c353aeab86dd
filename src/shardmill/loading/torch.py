"""Samples as PyTorch wants them. The only module here that imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import distributed
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate, get_worker_info

from shardmill.loading.batches import Batch, prefetched
from shardmill.loading.decode import Pixels
from shardmill.loading.epochs import EpochLoader, EpochOptions, Plan
from shardmill.loading.fetch import Fetcher
from shardmill.loading.order import EpochOrder, Share

Transform = Callable[[Any], Any]


def of_this_rank(options: EpochOptions) -> EpochOptions:
    """The options with rank and number of ranks as `torch.distributed` has them, where nothing else is asked for."""
    if (
        "world_size" in options
        or "rank" in options
        or not (distributed.is_available() and distributed.is_initialized())
    ):
        return options
    return {**options, "rank": distributed.get_rank(), "world_size": distributed.get_world_size()}


class TorchImages(Dataset):  # type: ignore[misc]  # torch is not read by the type checker
    """Map-style: `(image, label)` by number. See `Images.torch`."""

    def __init__(self, fetcher: Fetcher, transform: Transform | None) -> None:
        self._fetcher, self._transform = fetcher, transform

    def __len__(self) -> int:
        return len(self._fetcher.index)

    def __getitem__(self, number: int) -> tuple[Any, int]:
        place = number + len(self) if number < 0 else number
        if not 0 <= place < len(self):
            raise IndexError(f"there is no sample {number} among {len(self)}")
        image, label = self._fetcher.decoded(place, self._fetcher.record(place))
        return _transformed(_tensor(image), self._transform), label


class TorchBatches(IterableDataset):  # type: ignore[misc]  # as above
    """Iterable: whole batches, shared out over the workers of a `DataLoader`. See `Images.torch_batches`.

    Worker w of k makes the batches w, w + k, w + 2k ... of its rank, which is the order in which a `DataLoader` asks for them.
    Each pass is of the epoch that `set_epoch` gave, also where workers persist. `state_dict` counts the batches of one
    worker, as loaders want it that keep a state for each.
    """

    def __init__(
        self, fetcher: Fetcher, plan: Plan, transform: Transform | None, share: Share | None = None, epoch: int = 0
    ) -> None:
        """`share`: what of the epoch to go through; by default all that the plan has."""
        self._fetcher, self._plan, self._transform = fetcher, plan, transform
        self._share = share or plan.share
        self._epoch = torch.full((), epoch, dtype=torch.int64).share_memory_()
        self._made = self._skip = 0

    def __len__(self) -> int:
        """Batches in a pass."""
        return self._plan.batches_in(self._share)

    def set_epoch(self, epoch: int) -> None:
        """Let the next pass be of this epoch."""
        self._epoch.fill_(epoch)

    def state_dict(self) -> dict[str, int]:
        return {"epoch": int(self._epoch), "batches": self._made}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.set_epoch(state["epoch"])
        self._skip = state["batches"]

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        plan, self._made, self._skip = self._plan, self._skip, 0
        order = EpochOrder(self._share.count, plan.seed, int(self._epoch), plan.shuffle)
        chosen = range(number, len(self), workers)[self._made :]
        for batch in prefetched(self._fetcher, plan, self._share, order, chosen, plan.threads(workers)):
            self._made += 1
            yield _tensors(batch, self._transform)
        self._made = 0


class TorchLoader(EpochLoader[tuple[Any, Any]]):
    """Epochs of batches through a `DataLoader`. See `Images.torch_loader`."""

    def __init__(
        self, fetcher: Fetcher, plan: Plan, transform: Transform | None, *, num_workers: int, pin_memory: bool
    ) -> None:
        super().__init__(plan)
        self._fetcher, self._transform = fetcher, transform
        self._num_workers, self._pin_memory = num_workers, pin_memory

    def _batches(self, share: Share, order: EpochOrder) -> Iterator[tuple[Any, Any]]:
        rest = TorchBatches(self._fetcher, self._plan, self._transform, share, order.epoch)
        loader = DataLoader(rest, batch_size=None, num_workers=self._num_workers, pin_memory=self._pin_memory)
        return cast("Iterator[tuple[Any, Any]]", iter(loader))


def _tensor(image: Pixels) -> Any:  # noqa: ANN401  # a tensor
    """Shape (3, height, width), without a copy."""
    return torch.from_numpy(image).permute(2, 0, 1)


def _transformed(image: Any, transform: Transform | None) -> Any:  # noqa: ANN401  # a tensor, or whatever becomes of it
    return image if transform is None else transform(image)


def _tensors(batch: Batch, transform: Transform | None) -> tuple[Any, Any]:
    labels = torch.from_numpy(batch.labels)
    if isinstance(batch.images, np.ndarray) and transform is None:
        return torch.from_numpy(batch.images).permute(0, 3, 1, 2), labels
    images = [_tensor(cast("Pixels", image)) for image in batch.images]
    return (images if transform is None else default_collate([transform(image) for image in images])), labels
