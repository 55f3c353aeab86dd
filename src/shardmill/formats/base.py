"""What a record holds and the seam behind which the shard formats sit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol


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
    """Where a record lies in its shard, framing included, in bytes."""

    offset: int
    length: int


class ShardWriter(Protocol):
    """Writes one shard to an open file, front to back. The bytes depend on the samples and their order alone."""

    def add(self, sample: Sample) -> Placement: ...

    def finish(self) -> bytes:
        """Write what must come last and return the content of the index file. The caller closes the file."""
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


class Format(Protocol):
    """One kind of shard. Stateless."""

    @property
    def suffix(self) -> str:
        """File name suffix with its dot."""
        ...

    @property
    def index_suffix(self) -> str:
        """Appended to the shard's whole name."""
        ...

    def writer(self, file: BinaryIO) -> ShardWriter: ...

    def read(self, file: BinaryIO) -> Iterator[tuple[Placement, Sample] | Damage]:
        """Every record front to back, in bounded memory; damage is yielded in place, and reading goes on behind it where
        the format allows finding the next record."""
        ...

    def index(self, placements: list[Placement]) -> bytes:
        """The index file for records that lie at `placements`."""
        ...
