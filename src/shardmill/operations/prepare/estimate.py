"""What is found out about images before the run: in a child process, since decoders may crash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from shardmill import isolation, registry
from shardmill.image.base import Encoded, Transform
from shardmill.operations.prepare.fingerprint import transform_and_fingerprint
from shardmill.operations.prepare.reading import ListedReader
from shardmill.sources.base import STAGED
from shardmill.spec import PrepareSpec
from shardmill.storage import StorageSettings, UnreadableError, open_store
from shardmill.storage.retry import note_retries, retries_so_far

_RECORD_OVERHEAD: Final = {"tfrecord": 400, "webdataset": 3_000, "parquet": 150}
"""Bytes of a record beside its image, about."""
_OTHER_OVERHEAD: Final = 400
_UNREAD_RECORD_BYTES: Final = 30_000
"""Assumed where no sampled image can be read or decoded."""


@dataclass(frozen=True, slots=True)
class RecordSize:
    """Expected bytes of a record, and the images that this comes from."""

    bytes: float
    sampled: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows of a listing, to be read and encoded."""

    rows: tuple[dict[str, Any], ...]
    spec: PrepareSpec
    source_root: str
    staged_in: str | None
    """DEST, where the source's images were copied there."""
    storage: StorageSettings


def fingerprint(spec: PrepareSpec) -> str:
    """Fingerprint of the spec's transform on this machine.

    Raises:
        UsageError: the transform is not installed, or cannot do what the spec asks.
    """
    return transform_and_fingerprint(spec.transform, spec.image, spec.compression, spec.shard_format)[1]


def expected_record(sample: Sample, child: isolation.Child, limits: isolation.Limits) -> RecordSize:
    """Mean size over `sample`, found in `child`; an assumption where none of it can be had."""
    try:
        sizes, retries = child.call(_encoded_sizes, sample, limits)
        note_retries(retries)
    except isolation.ChildDiedError:
        sizes = []  # the run finds out which image it was
    if not sizes:
        return RecordSize(_UNREAD_RECORD_BYTES, 0)
    return RecordSize(
        sum(sizes) / len(sizes) + _RECORD_OVERHEAD.get(sample.spec.shard_format, _OTHER_OVERHEAD), len(sizes)
    )


def _encoded_sizes(sample: Sample) -> tuple[list[int], dict[str, int]]:
    """Bytes of each image that can be had, and the requests that were repeated for them."""
    before = retries_so_far()
    # The native transform serves for both: its sizes are those of the other within a few percent.
    transform: Transform = registry.load(registry.TRANSFORMS, "transform", "native")(sample.spec.image)
    sizes = []
    for number, outcome in enumerate(transform.run(_images(sample))):
        isolation.journal().finish(number)
        if isinstance(outcome, Encoded):
            sizes.append(len(outcome.jpeg))
    return sizes, dict(retries_so_far() - before)


def _images(sample: Sample) -> Iterator[bytes]:
    source, limit = open_store(sample.source_root, sample.storage), sample.spec.max_source_bytes
    staged_in = None if sample.staged_in is None else open_store(sample.staged_in, sample.storage)
    reader = ListedReader(source, staged_in, limit, sample.storage)
    for number, row in enumerate(sample.rows):
        uri, size = row["uri"], row["size"]
        if uri == STAGED or (size or 0) > limit:
            continue
        try:
            data = reader.read(uri, row["offset"], size)
        except UnreadableError:
            continue  # the run itself names it
        isolation.journal().take(number)
        yield data
