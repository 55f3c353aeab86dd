"""What is read: the shards of a data set, or the image files themselves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shardmill.dataset import Dataset, Shard
from shardmill.errors import UsageError
from shardmill.formats.base import Damage, Sample
from shardmill.image.base import ImageSpec
from shardmill.sources.base import StagedSource
from shardmill.sources.names import to_path
from shardmill.sources.open import open_source
from shardmill.sources.spec import SourceSpec
from shardmill.speedtest.record import SourceKind
from shardmill.storage import Store, open_store, scheme_of
from shardmill.storage.local import LocalStore

MOST_FILES: Final = 100_000
"""Files of one source that are read, spread evenly over its listing where it holds more."""

_FORMAT_NAMES: Final = {"tfrecord": "tfrecord", "tar": "webdataset", "parquet": "parquet"}
"""Of files of others, by the first part of a shard's suffix: `.tfrecord.gz` is one of the first."""

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, slots=True)
class ShardSet:
    """The shards of one data set, in order. Pickles."""

    name: str
    format: str
    dataset: Dataset
    size: Size | None
    """To which decoded images are brought; None: they are all of one size already."""

    source: SourceKind = "shards"

    @property
    def shards(self) -> tuple[Shard, ...]:
        return self.dataset.shards

    @property
    def store(self) -> Store:
        return self.dataset.store

    @property
    def images(self) -> int | None:
        """How many there are; None where nobody has counted."""
        counts = [shard.count for shard in self.shards]
        return None if None in counts else sum(count or 0 for count in counts)

    @property
    def bytes(self) -> int | None:
        """Of all shards; None where a store would have to be asked for each."""
        sizes = [shard.bytes for shard in self.shards]
        if None in sizes and isinstance(self.store, LocalStore):
            sizes = [self.store.size(shard.name) for shard in self.shards]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def first_shard(self, window: int) -> int:
        """Where window number `window` begins, so that neighbouring windows read different shards."""
        return window % len(self.shards)

    def files_of(self, window: int, images: int, lanes: int) -> list[str]:
        """Names of the files that hold the `images` images of a window that `lanes` readers share, and maybe more."""
        fewest = min((shard.count or 0 for shard in self.shards), default=0)
        touched = lanes * -(-images // (lanes * fewest)) if fewest else len(self.shards)
        first = self.first_shard(window)
        return [self.shards[(first + n) % len(self.shards)].name for n in range(min(touched, len(self.shards)))]

    def all_files(self) -> list[str]:
        return [shard.name for shard in self.shards]

    def first_sample(self) -> Sample:
        """The first record of all.

        Raises:
            UsageError: there is none that can be read.
        """
        for shard in self.shards:
            for record in self.dataset.records(shard):
                if isinstance(record, Damage):
                    raise UsageError(
                        f"{self.name}: {shard.name} is damaged ({record.kind}); run shardmill verify on it."
                    )
                return record[1]
        raise UsageError(f"{self.name} holds no record; there is nothing to read.")


@dataclass(frozen=True, slots=True)
class FileSet:
    """Image files, in the order of their listing. Pickles."""

    name: str
    store: Store
    uris: tuple[str, ...]
    size: Size
    """To which decoded images are cropped and resized."""

    source: SourceKind = "files"
    format: str = "files"

    @property
    def images(self) -> int:
        return len(self.uris)

    def first_file(self, window: int, images: int) -> int:
        """Where window number `window` of `images` images begins: behind the window before."""
        return window * images % len(self.uris)

    def files_of(self, window: int, images: int, lanes: int) -> list[str]:
        """Names of the files of a window."""
        first = self.first_file(window, images)
        return [to_path(self.uris[(first + n) % len(self.uris)]) for n in range(min(images, len(self.uris)))]

    def all_files(self) -> list[str]:
        return [to_path(uri) for uri in self.uris]


Material = ShardSet | FileSet


def open_shards(dest: str, size: Size | None = None, name: str | None = None) -> ShardSet:
    """The data set at `dest` as something to read.

    Args:
        size: to which images are brought; None: as they are where `prepare` made them alike, else 256 x 256.

    Raises:
        UsageError, DamageError: see `Dataset.open`; or it holds no record.
    """
    dataset = Dataset.open(dest)
    if size is None and _prepared_size(dataset) is None:
        size = (256, 256)
    material = ShardSet(
        name=name or _base_name(dest),
        format=_format_name(dataset),
        dataset=dataset,
        size=size if size != _prepared_size(dataset) else None,
    )
    material.first_sample()
    return material


def open_files(source: str, size: Size, name: str | None = None) -> FileSet:
    """The image files that `source`, a folder or a list, names.

    Raises:
        UsageError: there is none, or the images are no files of their own.
    """
    opened = open_source(source, SourceSpec())
    if isinstance(opened, StagedSource):
        raise UsageError(f"the images of {source} are no files of their own; give the folder or a list of files.")
    uris: list[str] = []
    for batch in opened.batches():
        if batch.column("offset").null_count < batch.num_rows:
            raise UsageError(f"the images of {source} lie within larger files; give the folder or a list of files.")
        uris += batch.column("uri").to_pylist()
    if elsewhere := next((uri for uri in uris if scheme_of(uri)), None):
        raise UsageError(f"{source} names images of several stores, such as {elsewhere}; give a list of one folder.")
    if not uris:
        raise UsageError(f"{source} holds no image; name the folder or the list that prepare would take.")
    return FileSet(name or _base_name(source), open_store(opened.root), tuple(spread(uris, MOST_FILES)), size)


def spread(names: Sequence[str], most: int) -> Sequence[str]:
    """All of `names`, or where there are more than `most`, that many, evenly spread."""
    if len(names) <= most:
        return names
    return [names[number * len(names) // most] for number in range(most)]


def prepared_size(material: ShardSet) -> Size | None:
    """Width and height of all of its images, where `prepare` made them alike."""
    return _prepared_size(material.dataset)


def local_path(store: Store, name: str) -> str | None:
    """Where the file `name` of `store` lies on this machine; None where it does not."""
    if scheme_of(name) or not isinstance(store, LocalStore):
        return None
    return os.path.join(store.root, name)  # noqa: PTH118  # for thousands of names


def decode_spec(material: Material) -> ImageSpec:
    """What becomes of an image of `material` when it is decoded."""
    if material.size is None:
        return ImageSpec(resize_mode="no")
    width, height = material.size
    return ImageSpec(width=width, height=height)


def _prepared_size(dataset: Dataset) -> Size | None:
    if dataset.manifest is None:
        return None
    image = dataset.manifest["data"]["spec"]["image"]
    alike = image["resize_mode"] in ("center_crop", "border") and not image["resize_only_if_bigger"]
    return (image["width"], image["height"]) if alike else None


def _format_name(dataset: Dataset) -> str:
    if dataset.manifest is not None:
        return str(dataset.manifest["data"]["shard_format"])
    return _FORMAT_NAMES[dataset.shard_format.suffix.split(".")[1]]


def _base_name(location: str) -> str:
    return location.rstrip("/").rpartition("/")[2] or location
