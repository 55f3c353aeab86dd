"""Images and labels by their place in the index: read, taken out of their records, decoded."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from shardmill.dataset import Dataset
from shardmill.errors import DamageError
from shardmill.formats.base import Damage
from shardmill.loading.decode import Pixels, decode_any, decode_ours
from shardmill.loading.index import RecordIndex
from shardmill.loading.reads import RangeReader, range_reader

COPIED = "copied"
"""Name of the transform of sets whose images are those of another set, bit for bit, and may be of any kind."""


@dataclass(slots=True)
class Fetcher:
    """Fetches single samples. Safe to use from several threads, and after a fork; pickles."""

    dataset: Dataset
    index: RecordIndex
    reader: RangeReader = field(init=False)
    ours: bool = field(init=False)
    """The images are JPEGs from our transforms."""

    def __post_init__(self) -> None:
        manifest = self.dataset.manifest
        self.reader = range_reader(self.dataset)
        self.ours = manifest is not None and manifest["data"]["transform"] != COPIED

    def encoded(self, number: int) -> tuple[bytes | memoryview, int]:
        """The encoded image of sample `number`, and its label.

        Raises:
            DamageError: the record is not as it was written.
        """
        return self.unpack(number, self.record(number))

    def record(self, number: int) -> bytes:
        """The bytes of a record; none of one that has none of its own."""
        length = int(self.index.length[number])
        if self.dataset.manifest is None or not length:
            return b""
        name = self.dataset.shards[self.index.shard[number]].name
        return self.reader.read(name, int(self.index.offset[number]), length)

    def unpack(self, number: int, record: bytes) -> tuple[bytes | memoryview, int]:
        """As `encoded`, from what `record` gave."""
        if self.dataset.manifest is None:
            return self._foreign(number)
        image = self.dataset.shard_format.image_in(record)
        if image is None:
            raise DamageError(f"{self._place(number)} is damaged; see `shardmill verify`.")
        return image, int(self.index.label[number])

    def decoded(self, number: int, record: bytes, out: Pixels | None = None) -> tuple[Pixels, int]:
        """Pixels, shape (height, width, 3) in RGB, and label; into `out` where that is given and can be.

        Raises:
            DamageError: the record is not as it was written, or the image does not decode.
        """
        image, label = self.unpack(number, record)
        try:
            pixels = decode_ours(image, out) if self.ours else decode_any(bytes(image))
        except DamageError as error:
            raise DamageError(f"{self._place(number)}: {error}") from error
        if out is not None and pixels is not out:
            if pixels.shape != out.shape:
                raise DamageError(f"{self._place(number)} has the shape {pixels.shape} and not {out.shape}.")
            out[...] = pixels
        return pixels, label

    def shape(self, numbers: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[int, int, int] | None:
        """Shape of the pixels of all `numbers`, if they share one that is known without decoding."""
        if not len(numbers):
            return None
        heights, widths = self.index.height[numbers], self.index.width[numbers]
        height, width = int(heights[0]), int(widths[0])
        if self.ours and height and width and (heights == height).all() and (widths == width).all():
            return height, width, 3
        return None

    def _foreign(self, number: int) -> tuple[bytes, int]:
        from shardmill.formats.base import Placement

        shard = self.dataset.shards[self.index.shard[number]]
        place = Placement(int(self.index.offset[number]), int(self.index.length[number]))
        with self.dataset.store.open(shard.name) as file:
            sample = self.dataset.shard_format.read_at(file, place)
        if isinstance(sample, Damage):
            raise DamageError(f"{self._place(number)} is damaged ({sample.detail}); see `shardmill verify`.")
        return sample.image, sample.label

    def _place(self, number: int) -> str:
        shard = self.dataset.shards[self.index.shard[number]]
        return f"record {self.index.number[number]} of {shard.name}"
