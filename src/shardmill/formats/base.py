"""What a record holds and the seam behind which the shard formats sit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal, Protocol

FeatureKeys = Literal["imagenet", "tfds"]
FormatName = Literal["tfrecord", "webdataset", "parquet"]
Compression = Literal["none", "gzip", "snappy", "zstd"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One record, whatever the format."""

    key: str
    """Unique in the data set; a relative path with `/`, never an absolute location."""
    image: bytes
    """Encoded image, JPEG from our own transforms."""
    label: int
    """Class number from 0, or -1 where there is none."""
    text: str
    """Class name, or empty."""
    width: int
    height: int
    filename: str
    """Base name of the source."""
    image_format: str = "JPEG"
    exif: bytes | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a record lies in its shard, in bytes, framing included; in a compressed stream, of what it inflates to.

    In Parquet, where a record has no bytes of its own, it is where the image lies; an image inside a compressed or
    dictionary-encoded column gets the first byte of its column chunk plus its number in it, and no length.
    """

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What a format may be told. Which of it makes sense, the format knows."""

    feature_keys: FeatureKeys = "imagenet"
    compression: Compression = "none"
    classes: tuple[str, ...] = ()
    """Class names in label order, for formats that carry them in each shard."""


class ShardWriter(Protocol):
    """Writes one shard to an open file, front to back. The bytes depend on the samples and their order alone."""

    @property
    def placements(self) -> Sequence[Placement]:
        """Where the records lie, in order. A record may be missing from it until others follow, or `finish`."""
        ...

    def add(self, sample: Sample) -> None: ...

    def finish(self) -> bytes:
        """Write what must come last and return the content of the index file, empty where the format has none.

        The caller closes the file.
        """
        ...


@dataclass(frozen=True, slots=True)
class Damage:
    """A place in a shard that is not as written."""

    record: int
    """Number of the record, from 0."""
    offset: int
    """Where the record begins, in bytes; in a compressed shard, of the uncompressed stream."""
    kind: str
    """`truncated`, `length_crc`, `data_crc`, `not_an_example`, `no_image`, `bad_compression` ..."""
    detail: str
    length: int = 0
    """Bytes known to be lost with it, where that is more than a record."""


class Format(Protocol):
    """One kind of shard. Stateless; pickles. What makes it is a `FormatFactory`."""

    @property
    def suffix(self) -> str:
        """File name suffix with its dot."""
        ...

    @property
    def index_suffix(self) -> str:
        """Appended to the shard's whole name; empty where shards have no index beside them."""
        ...

    @property
    def random_access(self) -> bool:
        """Shards of ours can be read one record at a time."""
        ...

    def writer(self, file: BinaryIO) -> ShardWriter: ...

    def read(self, file: BinaryIO) -> Iterator[tuple[Placement, Sample] | Damage]:
        """Every record front to back, in bounded memory; damage is yielded in place, and reading goes on behind it where
        the format allows finding the next record."""
        ...

    def locate(self, file: BinaryIO) -> list[Placement] | None:
        """Where the records lie, found without reading them; None where nothing can be skipped (a compressed stream).

        Behind damage that hides where the next record begins, one last placement stands for the rest.
        """
        ...

    def read_at(self, file: BinaryIO, placement: Placement) -> Sample | Damage:
        """The record at a place that `read`, `locate` or an index told; the file must be seekable."""
        ...

    def image_in(self, record: bytes) -> bytes | memoryview | None:
        """The image in the bytes of a record that we wrote, at little cost; None where they are not that."""
        ...

    def index(self, file: BinaryIO) -> bytes:
        """The index file of the whole shard in `file`."""
        ...

    def parse_index(self, content: bytes) -> list[Placement] | int:
        """What an index says, or the number (from 0) of the first of its lines that says nothing."""
        ...

    def salvage(self, source: BinaryIO, target: BinaryIO, bad: Collection[int]) -> tuple[int, int]:
        """Copy a shard of whatever writer, but for damaged records and those that begin at the offsets `bad`.

        Returns:
            Records kept and lost.
        """
        ...


class FormatFactory(Protocol):
    """What a row of `registry.FORMATS` names; the class itself in most cases."""

    def from_options(self, options: FormatOptions) -> Format:
        """A format that does what `options` say.

        Raises:
            UsageError: it cannot.
        """
        ...
