"""The table with a row per input that goes with each shard, and the summary of the shard inside it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, BinaryIO, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shardmill.formats.base import ShardWriter
from shardmill.image.base import Encoded, PixelSums, Refused
from shardmill.layout import INDEX_SUFFIX, SUMMARY_KEY
from shardmill.storage import Store

_ROWS_PER_GROUP: Final = 1 << 13


class Column(NamedTuple):
    """A column of the table."""

    type: pa.DataType
    meaning: str


COLUMNS: Final[Mapping[str, Column]] = {
    "key": Column(
        pa.string(), "of the sample: its path below SOURCE, or what the list says; repeats end in `~2`, `~3`"
    ),
    "uri": Column(pa.string(), "where the image was read from, relative to SOURCE where it can be"),
    "split": Column(pa.string(), ""),
    "label": Column(pa.int64(), "class number from 0; -1: none"),
    "class": Column(pa.string(), "class name"),
    "status": Column(pa.string(), "`written`, `skipped`, `failed`, or `lost` in a repair"),
    "reason": Column(pa.string(), "a stable code: `truncated`, `too_many_pixels` …; empty where written"),
    "error": Column(pa.string(), "the reason in a sentence"),
    "index": Column(
        pa.int64(),
        "number of the record in its shard, from 0; null where there is none, as all below that tell of a record",
    ),
    "offset": Column(pa.int64(), "where the record begins in the shard, in bytes"),
    "length": Column(pa.int64(), "bytes of the record, framing included"),
    "source_bytes": Column(pa.int64(), "bytes of the source image"),
    "source_format": Column(pa.string(), "by its bytes, not by its name"),
    "source_width": Column(pa.int64(), "in pixels, as stored"),
    "source_height": Column(pa.int64(), "in pixels, as stored"),
    "sha256": Column(pa.string(), "of the source image's bytes, in hexadecimal"),
    "width": Column(pa.int64(), "of the image in the record, in pixels"),
    "height": Column(pa.int64(), "of the image in the record, in pixels"),
    "crop_left": Column(pa.float64(), "the box of the upright source that the result shows, in its pixels"),
    "crop_top": Column(pa.float64(), ""),
    "crop_right": Column(pa.float64(), ""),
    "crop_bottom": Column(pa.float64(), ""),
    "conversions": Column(
        pa.string(), "what was changed on the way, separated by commas: `exif_orientation`, `cmyk`, `icc` …"
    ),
}
CARRIED: Final = "col:"


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """All that the driver hears of a shard; of fixed size."""

    number: int
    name: str
    split: str
    plan: str
    """Digest of the plan it belongs to."""
    listed: int
    count: int
    """Records written."""
    skipped: int
    failed: int
    bytes: int
    sha256: str
    index_bytes: int
    index_sha256: str
    pixels: int
    """Pixels summed in `channel_totals` and `channel_squares`."""
    channel_totals: tuple[int, int, int]
    channel_squares: tuple[int, int, int]

    @property
    def sums(self) -> PixelSums:
        return PixelSums(self.pixels, self.channel_totals, self.channel_squares)


class SamplesWriter:
    """Collects a row per input and writes them in row groups of fixed size, so that the bytes repeat."""

    def __init__(self, file: BinaryIO, carried: pa.Schema) -> None:
        """`carried`: the columns that the source brought along, under their own names."""
        self._carried = [name if name not in COLUMNS else f"source:{name}" for name in carried.names]
        types = {
            **{name: column.type for name, column in COLUMNS.items()},
            **dict(zip(self._carried, carried.types, strict=True)),
        }
        self._schema = pa.schema(list(types.items()))
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: dict[str, list[Any]] = {name: [] for name in types}

    def add(self, row: Mapping[str, Any], carried: tuple[Any, ...]) -> None:
        """`row` has some of the fixed columns; the others become null."""
        for name in COLUMNS:
            self._rows[name].append(row.get(name))
        for name, value in zip(self._carried, carried, strict=True):
            self._rows[name].append(value)
        if len(self._rows["key"]) == _ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(pa.table(self._rows, self._schema), row_group_size=_ROWS_PER_GROUP)
        self._rows = {name: [] for name in self._rows}

    def finish(self, summary: ShardSummary) -> None:
        if self._rows["key"]:
            self._flush()
        self._writer.add_key_value_metadata({SUMMARY_KEY: json.dumps(asdict(summary)).encode()})
        self._writer.close()


class PlacedRows:
    """Hands rows to the table as soon as the shard's writer knows where their records lie."""

    def __init__(self, table: SamplesWriter, writer: ShardWriter) -> None:
        self._table, self._writer = table, writer
        self._waiting: deque[tuple[dict[str, Any], tuple[Any, ...], int | None]] = deque()
        self._records = 0

    def add(self, row: dict[str, Any], carried: tuple[Any, ...], *, written: bool) -> None:
        """`row` and `carried` as for the table; with `written`, a record was given to the writer for it."""
        self._waiting.append((row, carried, self._records if written else None))
        self._records += written
        self.flush()

    def flush(self) -> None:
        """Pass on what can be; once the writer has finished, that is all."""
        places = self._writer.placements
        while self._waiting and (self._waiting[0][2] is None or self._waiting[0][2] < len(places)):
            row, carried, number = self._waiting.popleft()
            if number is not None:
                row |= {"index": number, "offset": places[number].offset, "length": places[number].length}
            self._table.add(row, carried)


def outcome_columns(outcome: Encoded | Refused) -> dict[str, Any]:
    """The columns that follow from what became of an image."""
    source = outcome.source
    columns: dict[str, Any] = {}
    if source is not None:
        columns = {
            "source_format": source.format,
            "source_width": source.width,
            "source_height": source.height,
            "conversions": ",".join(source.conversions),
        }
    if isinstance(outcome, Refused):
        return columns | {"status": outcome.status, "reason": outcome.reason, "error": outcome.detail}
    left, top, right, bottom = outcome.crop
    return columns | {
        "status": "written",
        "width": outcome.width,
        "height": outcome.height,
        "crop_left": left,
        "crop_top": top,
        "crop_right": right,
        "crop_bottom": bottom,
    }


def committed(store: Store, name: str, plan: str) -> ShardSummary | None:
    """The summary of a shard that is committed for `plan` and whose files have their sizes, else None."""
    if store.size(name) is None:
        return None
    try:
        with store.open(name) as file:
            metadata = pq.read_metadata(file).metadata or {}
        values = json.loads(metadata[SUMMARY_KEY])
        for channel in ("channel_totals", "channel_squares"):
            values[channel] = tuple(values[channel])
        summary = ShardSummary(**{field.name: values[field.name] for field in fields(ShardSummary)})
    except (pa.ArrowInvalid, KeyError, ValueError, TypeError):  # not a table of ours, or not a whole one
        return None
    sizes = store.size(summary.name), store.size(summary.name + INDEX_SUFFIX) or 0
    if summary.plan != plan or sizes != (summary.bytes, summary.index_bytes):
        return None
    return summary


LOST: Final = ("failed", "lost")
"""Statuses of inputs that a retry may mend."""


def has_status(store: Store, name: str, wanted: Sequence[str]) -> bool:
    """Whether an input of the shard has one of the `wanted` statuses."""
    with store.open(name) as file:
        statuses = pq.read_table(file, columns=["status"])["status"]
    return bool(pc.any(pc.is_in(statuses, value_set=pa.array(wanted))).as_py())


def renewed_sizes(store: Store, name: str) -> dict[str, int | None]:
    """What size to expect of each input of a shard that is made again, by key: any of one that had been lost.

    One that an earlier attempt of this retry has mended is expected as that attempt found it, so that a second attempt
    comes to the same result.
    """
    if store.size(name) is None:
        return {}
    with store.open(name) as file:
        rows = pq.read_table(file, columns=["key", "status", "source_bytes"])
    columns = zip(*(column.to_pylist() for column in rows.columns), strict=True)
    return {key: None if status in LOST else size for key, status, size in columns}
