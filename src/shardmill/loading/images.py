"""What `shardmill.open` returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shardmill.arguments import checked
from shardmill.dataset import Dataset
from shardmill.errors import MissingExtraError, UsageError
from shardmill.loading.batches import BatchLoader
from shardmill.loading.decode import Pixels
from shardmill.loading.epochs import EpochOptions, make_plan
from shardmill.loading.fetch import Fetcher
from shardmill.loading.index import RecordIndex, build_index
from shardmill.storage import parse_settings
from shardmill.units import in_range

if TYPE_CHECKING:
    import tensorflow as tf

    from shardmill.loading.torch import TorchBatches, TorchImages, TorchLoader


@dataclass(frozen=True, slots=True)
class Item:
    """One decoded sample."""

    image: Pixels
    """Shape (height, width, 3) in RGB."""
    label: int
    """-1 without a class."""


class Images:
    """The samples of a data set: a sequence that decodes what it is asked for. Pickles, and survives a fork.

    `len(images)`, `images[7]`, `for item in images`, `images.split("train")`, and whole epochs by `batches`, `torch`
    or `tf`. It holds 32 bytes a sample, whatever the images weigh.
    """

    def __init__(self, dataset: Dataset, index: RecordIndex) -> None:
        self._dataset = dataset
        self._fetcher = Fetcher(dataset, index)
        self._keys: tuple[int, list[str]] | None = None

    @property
    def root(self) -> str:
        """Where the data set lies."""
        return self._dataset.root

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes; the place is the label. Empty where nobody says."""
        return self._dataset.labels

    @cached_property
    def splits(self) -> dict[str, int]:
        """Samples by split."""
        shards = np.bincount(self._fetcher.index.shard, minlength=len(self._dataset.shards))
        counts = dict.fromkeys(self._dataset.splits, 0)
        for shard, count in zip(self._dataset.shards, shards.tolist(), strict=True):
            counts[shard.split] += count
        return {split: count for split, count in counts.items() if count}

    @cached_property
    def counts(self) -> dict[str, int]:
        """Samples by name of class; empty for files of others, whose records would all have to be read for it."""
        if self._dataset.manifest is None:
            return {}
        found = self._fetcher.index.label
        counts = np.bincount(found[found >= 0], minlength=len(self.labels)).tolist()
        return dict(zip(self.labels, counts, strict=True))

    def split(self, name: str) -> Images:
        """The samples of one split.

        Raises:
            UsageError: there is none of that name.
        """
        if name not in self.splits:
            raise UsageError(f"{self.root} has no split {name!r}; it has: {', '.join(self.splits)}")
        wanted = np.array([shard.split == name for shard in self._dataset.shards])
        return Images(self._dataset, self._fetcher.index.take(wanted[self._fetcher.index.shard]))

    def __len__(self) -> int:
        return len(self._fetcher.index)

    def __getitem__(self, number: int) -> Item:
        """Decode sample `number`; negative ones count from the end.

        Raises:
            DamageError: it is not as it was written.
        """
        place = self._place(number)
        image, label = self._fetcher.decoded(place, self._fetcher.record(place))
        return Item(image, label)

    def __iter__(self) -> Iterator[Item]:
        return (self[number] for number in range(len(self)))

    def encoded(self, number: int) -> bytes:
        """The image file inside sample `number`, as it is stored."""
        return bytes(self._fetcher.encoded(self._place(number))[0])

    def label(self, number: int) -> int:
        """The label of sample `number`; -1 without a class."""
        place = self._place(number)
        if self._dataset.manifest is None:
            return self._fetcher.encoded(place)[1]
        return int(self._fetcher.index.label[place])

    def key(self, number: int) -> str:
        """The key of sample `number`: what `prepare` called its input.

        Raises:
            UsageError: these are files of others, which have no table of keys.
        """
        place = self._place(number)
        if self._dataset.manifest is None:
            raise UsageError(f"{self.root} has no table of keys, since others wrote it; `shardmill convert` makes one.")
        index = self._fetcher.index
        shard = int(index.shard[place])
        if self._keys is None or self._keys[0] != shard:
            self._keys = shard, _keys(self._dataset, shard)
        return self._keys[1][int(index.number[place])]

    def _place(self, number: int) -> int:
        place = number + len(self) if number < 0 else number
        if not 0 <= place < len(self):
            raise IndexError(f"there is no sample {number} among {len(self)}")
        return place

    def batches(self, batch_size: int, *, decode: bool = True, **options: Unpack[EpochOptions]) -> BatchLoader:
        """Epochs of batches of numpy arrays, decoded in threads of this process.

        Args:
            batch_size: Samples in a batch, of each rank.
            decode: Give pixels; else the encoded images.
            options: See `EpochOptions`.

        Raises:
            UsageError: a number is out of range.
        """
        return BatchLoader(self._fetcher, make_plan(len(self), batch_size, decode=decode, **options))

    def tf(self, batch_size: int, *, epoch: int = 0, **options: Unpack[EpochOptions]) -> tf.data.Dataset:
        """A `tf.data.Dataset` of `(images, labels)`: uint8 of shape (n, height, width, 3), and int64 of shape (n,).

        Each pass over it is the next epoch, from `epoch` on. The native reader does the work.

        Raises:
            MissingExtraError: TensorFlow is not installed.
            UsageError: images differ in size, so that they make no tensor, or a number is out of range.
        """
        _need("tensorflow", "pip install 'shardmill[tf]'")
        from shardmill.loading.tensorflow import epochs_of

        if len(self) and self._fetcher.shape(np.arange(len(self))) is None:
            raise UsageError(
                f"the images of {self.root} differ in size, so they make no tensors; use batches() or torch()."
            )
        loader = self.batches(batch_size, **options)
        loader.set_epoch(epoch)
        return epochs_of(loader, self._fetcher.shape(np.arange(len(self))))

    def torch(self, transform: Callable[[Any], Any] | None = None) -> TorchImages:
        """A map-style `torch.utils.data.Dataset` of `(image, label)`, for a `DataLoader` with whatever sampler.

        Images are uint8 tensors of shape (3, height, width); `transform` is applied to each.

        Raises:
            MissingExtraError: PyTorch is not installed.
        """
        images: TorchImages = _torch().TorchImages(self._fetcher, transform)
        return images

    def torch_batches(
        self, batch_size: int, transform: Callable[[Any], Any] | None = None, **options: Unpack[EpochOptions]
    ) -> TorchBatches:
        """An `IterableDataset` of whole batches, for `DataLoader(..., batch_size=None)` with any number of workers.

        A batch is `(images, labels)`: uint8 of shape (n, 3, height, width), a list of tensors where images differ in
        size, and int64 of shape (n,). Workers share the batches of a rank, and their number changes no batch.

        Raises:
            MissingExtraError: PyTorch is not installed.
            UsageError: a number is out of range.
        """
        module = _torch()
        batches: TorchBatches = module.TorchBatches(
            self._fetcher, make_plan(len(self), batch_size, **module.of_this_rank(options)), transform
        )
        return batches

    def torch_loader(
        self,
        batch_size: int,
        transform: Callable[[Any], Any] | None = None,
        *,
        num_workers: int = 0,
        pin_memory: bool = False,
        **options: Unpack[EpochOptions],
    ) -> TorchLoader:
        """Epochs of such batches through a real `DataLoader`, with the state of whoever consumes them.

        Args:
            batch_size: Samples in a batch, of each rank.
            transform: Applied to each image, a uint8 tensor of shape (3, height, width).
            num_workers: Processes that decode; with 0, threads of this process do.
            pin_memory: As of `DataLoader`.
            options: See `EpochOptions`.

        Raises:
            MissingExtraError: PyTorch is not installed.
            UsageError: a number is out of range.
        """
        module = _torch()
        plan = make_plan(len(self), batch_size, **module.of_this_rank(options))
        loader: TorchLoader = module.TorchLoader(
            self._fetcher, plan, transform, num_workers=in_range("num_workers", num_workers, 0), pin_memory=pin_memory
        )
        return loader


def _keys(dataset: Dataset, shard: int) -> list[str]:
    with dataset.store.open(dataset.shards[shard].samples_name) as file:
        table = pq.read_table(file, columns=["key", "status", "index"])
    keys: list[str] = table.filter(pc.equal(table["status"], "written")).sort_by("index")["key"].to_pylist()
    return keys


@checked
def open(dest: str, *, storage_options: str | Mapping[str, Any] | None = None) -> Images:
    """Open a data set for loading: random access, batches, `tf.data`, PyTorch.

    Args:
        dest: A data set that prepare wrote, or shards of anyone (TFRecord, WebDataset tar, Parquet): a folder, a file or a
            pattern.
        storage_options: What fsspec's file system takes for gs:// or s3://, as for prepare.

    Returns:
        Its samples, with nothing decoded yet.

    Raises:
        DamageError: the set is not finished, or what tells where its images lie cannot be read.
        UsageError: there is no data set, or its shards cannot be read at random.
    """
    dataset = Dataset.open(dest, storage=parse_settings(storage_options))
    return Images(dataset, build_index(dataset))


def _need(package: str, remedy: str) -> None:
    if find_spec(package) is None:
        raise MissingExtraError(f"this needs the package {package}; install it with: {remedy}")


def _torch() -> Any:  # noqa: ANN401  # the module
    _need("torch", "pip install torch (see pytorch.org for a build without CUDA)")
    return import_module("shardmill.loading.torch")
