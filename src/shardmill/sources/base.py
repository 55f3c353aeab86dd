"""What a source of images must tell, whatever it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, Protocol, runtime_checkable

import pyarrow as pa

LISTING: Final = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),  # before repeats get ~2, ~3
        pa.field("uri", pa.string(), nullable=False),  # relative to the source's root where it can be
        pa.field("offset", pa.int64()),  # null: the whole object; else where the image begins in it
        pa.field("size", pa.int64()),  # bytes of the image; null: not known before reading
        pa.field("split", pa.string()),  # null: decided by ratio, or "train"
        pa.field("label", pa.string()),  # class name, or the number's digits; null: none
        pa.field("group", pa.string()),  # rows of one group stay on one side of a split
    ]
)
"""The columns that every source yields first, in this order; columns carried through follow, prefixed `col:`."""

BATCH_ROWS: Final = 65_536


STAGED: Final = "staged:"
"""Begins a uri that names a file in DEST instead of one in SOURCE."""


class Source(Protocol):
    """Lists images.

    `batches` yields record batches of at most `BATCH_ROWS` rows whose schema begins with `LISTING`, always in the same
    order for the same source; all batches have one schema. It never opens an image. `ignored` counts, by suffix, the
    files seen and not listed, and is complete when `batches` is exhausted.
    """

    root: str
    """What relative uris are relative to: a folder path or URL prefix."""
    unique_keys: bool
    """No two rows can have the same key."""
    numeric_labels: bool
    """Labels are numbers given by the user, to be kept, where all of them are whole and not negative."""
    class_names: tuple[str, ...] | None
    """Names in label order, where the source itself numbers its classes."""
    ignored: Counter[str]

    def batches(self) -> Iterator[pa.RecordBatch]: ...


class Stage(Protocol):
    """Keeps images that cannot be read one by one where they are."""

    def add(self, image: bytes) -> tuple[str, int]:
        """Keep `image`; return the uri of what holds it and the offset of its first byte."""
        ...


@runtime_checkable
class StagedSource(Protocol):
    """A source whose images must be copied while they are listed; in all else as `Source`.

    Rows whose image is kept have its uri and offset as `stage` gave them, and its size; the others are as in `Source`.
    The same images reach `stage` in the same order on every call.
    """

    root: str
    unique_keys: bool
    numeric_labels: bool
    class_names: tuple[str, ...] | None
    ignored: Counter[str]

    def staged_batches(self, stage: Stage) -> Iterator[pa.RecordBatch]: ...
