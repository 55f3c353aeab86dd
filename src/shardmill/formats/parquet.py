"""Parquet shards in the layout of Hugging Face `datasets`: a column of images, one of labels, and what else is known."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shardmill.errors import UsageError
from shardmill.formats.base import Compression, Damage, FormatOptions, Placement, Sample
from shardmill.formats.checksum import CHECKSUM, sample_checksum
from shardmill.formats.example import Feature
from shardmill.formats.features import to_sample
from shardmill.formats.image_columns import (
    COLUMNS,
    IMAGE_LEAF,
    LEAVES,
    METADATA,
    REPEATING,
    class_names_in,
    features_metadata,
    image_leaf,
    scalar_columns,
)
from shardmill.formats.row_groups import (
    FOOTER_CHECKSUM,
    GROUPS,
    NO_CHECKSUM,
    GroupMap,
    Tap,
    footer_problem,
    groups_from_json,
    groups_to_json,
    map_group,
    sealed,
)

_ROWS_PER_GROUP: Final = 100
_BYTES_PER_GROUP: Final = 64 * 1024 * 1024
_UNREADABLE: Final = (pa.ArrowException, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class ParquetFormat:
    """Row groups of 100 images, or of 64 MiB if that is less; no index beside them, since the footer is one.

    Images are stored plain, whatever the compression, so that each can be read where it lies; the other columns are
    compressed. Each row carries a checksum over all of it; see `formats.row_groups` for those of the rest.
    """

    compression: Compression = "none"
    classes: tuple[str, ...] = ()
    """Names for the labels: the `ClassLabel` in the metadata."""
    suffix: str = ".parquet"
    index_suffix: str = ""
    random_access: bool = True

    @classmethod
    def from_options(cls, options: FormatOptions) -> ParquetFormat:
        """Raises `UsageError` for options that Parquet does not have."""
        if options.feature_keys != "imagenet":
            raise UsageError("--feature-keys is for --format tfrecord; leave it out.")
        return cls(options.compression, options.classes)

    def writer(self, file: BinaryIO) -> ParquetShardWriter:
        """A writer to `file`, which must take every write whole (as buffered files do)."""
        return ParquetShardWriter(file, self.compression, self.classes)

    def read(self, file: BinaryIO) -> Iterator[tuple[Placement, Sample] | Damage]:
        """Every row of a file from whatever writer; `formats.features` finds the columns beside the image.

        Kinds of damage: `truncated` or `bad_footer` of a file that cannot be opened, `row_group` of one that cannot be read
        (all its rows are lost), `data_crc` of a row that is not as we wrote it, `no_image` of one without an image.
        """
        opened = _open(file)
        if isinstance(opened, Damage):
            yield opened
            return
        number = 0
        for group in range(opened.file.num_row_groups):
            rows = opened.rows(group)
            if isinstance(rows, Damage):
                yield Damage(number, rows.offset, rows.kind, rows.detail, rows.length)
                number += 1
                continue
            for placement, sample in rows:
                if isinstance(sample, Sample):
                    yield placement, sample
                else:
                    yield Damage(number, placement.offset, *sample)
                number += 1

    def locate(self, file: BinaryIO) -> list[Placement] | None:
        opened = _open(file)
        if isinstance(opened, Damage):
            return [Placement(0, 0)]
        return [place for group in range(opened.file.num_row_groups) for place in opened.places(group)]

    def read_at(self, file: BinaryIO, placement: Placement) -> Sample | Damage:
        opened = _open(file)
        if isinstance(opened, Damage):
            return opened
        for group in range(opened.file.num_row_groups):
            start, length = opened.chunk(group)
            if start <= placement.offset < start + length:
                rows = opened.rows(group)
                if isinstance(rows, Damage):
                    return rows
                for place, sample in rows:
                    if place.offset == placement.offset:
                        return sample if isinstance(sample, Sample) else Damage(0, place.offset, *sample)
        return Damage(0, placement.offset, "truncated", "no row has its image here")

    def image_in(self, record: bytes) -> bytes | memoryview | None:
        return record

    def index(self, file: BinaryIO) -> bytes:
        """Empty: the footer of the file is the index."""
        return b""

    def parse_index(self, content: bytes) -> list[Placement] | int:
        return 0

    def salvage(self, source: BinaryIO, target: BinaryIO, bad: Collection[int]) -> tuple[int, int]:
        """Whole rows with all their columns; where the footer is lost, so is everything."""
        opened = _open(source)
        if isinstance(opened, Damage):
            return 0, 1
        kept = lost = 0
        schema = opened.file.schema_arrow
        with pq.ParquetWriter(target, schema, compression=opened.compression) as writer:
            for group in range(opened.file.num_row_groups):
                rows = opened.rows(group)
                if isinstance(rows, Damage):
                    lost += opened.file.metadata.row_group(group).num_rows
                    continue
                good = [isinstance(sample, Sample) and place.offset not in bad for place, sample in rows]
                table = opened.file.read_row_group(group).filter(pa.array(good))
                writer.write_table(table, row_group_size=max(table.num_rows, 1))
                kept, lost = kept + sum(good), lost + len(good) - sum(good)
        return kept, lost


class ParquetShardWriter:
    """Writes one shard, front to back; holds one row group."""

    def __init__(self, file: BinaryIO, compression: Compression, classes: Sequence[str]) -> None:
        self._tap = Tap(file)
        self._schema = pa.schema(list(COLUMNS.items()), {METADATA: features_metadata(classes)})
        self._writer = pq.ParquetWriter(
            self._tap,
            self._schema,
            compression={name: "none" if name == IMAGE_LEAF else compression for name in LEAVES},
            use_dictionary=REPEATING,
            write_statistics=[name for name in LEAVES if name not in (IMAGE_LEAF, "exif")],
            write_page_checksum=True,
        )
        self._rows: list[Sample] = []
        self._bytes = 0
        self._groups: list[GroupMap] = []
        self.placements: list[Placement] = []

    def add(self, sample: Sample) -> None:
        self._rows.append(sample)
        self._bytes += len(sample.image)
        if len(self._rows) == _ROWS_PER_GROUP or self._bytes >= _BYTES_PER_GROUP:
            self._flush()

    def finish(self) -> bytes:
        if self._rows:
            self._flush()
        maps = groups_to_json(self._groups)
        self._writer.add_key_value_metadata({GROUPS: maps, FOOTER_CHECKSUM: NO_CHECKSUM})
        with self._tap.capture(hold=True) as footer:
            self._writer.close()
        self._tap.write(sealed(footer.content))
        return b""

    def _flush(self) -> None:
        rows = self._rows
        columns: dict[str, list[Any]] = {
            "image": [{"bytes": row.image, "path": row.filename} for row in rows],
            "label": [row.label for row in rows],
            "text": [row.text for row in rows],
            "key": [row.key for row in rows],
            "width": [row.width for row in rows],
            "height": [row.height for row in rows],
            "format": [row.image_format for row in rows],
            "exif": [row.exif for row in rows],
            CHECKSUM: [sample_checksum(row) for row in rows],
        }
        with self._tap.capture() as captured:
            self._writer.write_table(pa.table(columns, self._schema), row_group_size=len(rows))
        group = map_group(captured.content, captured.start, [row.image for row in rows])
        self._groups.append(group)
        self.placements += group.placements(captured.content) or []
        self._rows, self._bytes = [], 0


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file whose footer could be read."""

    file: pq.ParquetFile
    raw: BinaryIO
    image: str
    """Path of the leaf with the images."""
    columns: tuple[str, ...]
    """Leaves worth reading."""
    names: tuple[str, ...]
    """Of the classes."""
    maps: tuple[GroupMap, ...]
    """Of the row groups of a file that we wrote."""

    @property
    def compression(self) -> str:
        codec: str = self._leaf(0).compression if self.file.num_row_groups else "UNCOMPRESSED"
        return "none" if codec == "UNCOMPRESSED" else codec

    def _leaf(self, group: int) -> Any:  # noqa: ANN401  # pyarrow has no types
        metadata = self.file.metadata.row_group(group)
        columns = (metadata.column(number) for number in range(metadata.num_columns))
        return next(column for column in columns if column.path_in_schema == self.image)

    def chunk(self, group: int) -> tuple[int, int]:
        """First byte and length of a row group; in files of others, of the images in it."""
        if self.maps:
            return self.maps[group].start, self.maps[group].length
        column = self._leaf(group)
        offsets = [column.data_page_offset]
        if column.has_dictionary_page and column.dictionary_page_offset:
            offsets.append(column.dictionary_page_offset)
        return min(offsets), column.total_compressed_size

    def places(self, group: int) -> list[Placement]:
        """Where the images of a row group lie, without reading them."""
        if self.maps:
            return list(self.maps[group].walk(lambda at: self._read(self.maps[group].start + at, 4)))
        start, _ = self.chunk(group)
        return [Placement(start + row, 0) for row in range(self.file.metadata.row_group(group).num_rows)]

    def _read(self, offset: int, length: int) -> bytes:
        self.raw.seek(offset)
        return self.raw.read(length)

    def rows(self, group: int) -> list[tuple[Placement, Sample | tuple[str, str]]] | Damage:
        """Each row of a group: the sample, or kind and detail of what is wrong with it."""
        start, length = self.chunk(group)
        lost = f"none of its {self.file.metadata.row_group(group).num_rows} rows can be read"
        places = self.maps[group].placements(self._read(start, length)) if self.maps else self.places(group)
        if places is None:
            return Damage(0, start, "row_group", f"its bytes are not as written, so {lost}", length)
        try:
            table = self.file.read_row_group(group, columns=list(self.columns), use_threads=False)
            columns = {name: table.column(name).to_pylist() for name in table.column_names}
        except _UNREADABLE as error:
            return Damage(0, start, "row_group", f"{lost} ({_first_line(error)})", length)
        top, leaf = (self.image, "") if self.image in columns else self.image.rsplit(".", 1)
        values = columns.pop(top)
        images = [(value or {}).get(leaf) if leaf else value for value in values]
        paths = [value.get("path") if leaf and value else None for value in values]
        return [
            (place, self._sample(image, path, dict(zip(columns, rest, strict=True))))
            for place, image, path, rest in zip(
                places,
                images,
                paths,
                zip(*columns.values(), strict=True) if columns else [()] * len(images),
                strict=True,
            )
        ]

    def _sample(self, image: bytes | None, path: str | None, row: dict[str, Any]) -> Sample | tuple[str, str]:
        if image is None:
            return "no_image", "the row has no image"
        checksum = row.pop(CHECKSUM, None) if self.maps else None
        features: dict[str, Feature] = {"image/encoded": [image]}
        for name, value in row.items():
            if isinstance(value, int):
                features[name] = [int(value)]
            elif isinstance(value, str):
                features[name] = [value.encode(errors="replace")]
        if path:
            features["image/filename"] = [path.rpartition("/")[2].encode(errors="replace")]
        if isinstance(row.get("exif"), bytes):
            features["image/exif"] = [row["exif"]]
        sample = to_sample(features)
        if sample is None:
            return "no_image", "the row has no image"
        if checksum is not None and checksum != sample_checksum(sample):
            return "data_crc", "the checksum of the row is not that of its values"
        if not sample.text and 0 <= sample.label < len(self.names):
            return replace(sample, text=self.names[sample.label])
        return sample


def class_names(file: BinaryIO) -> tuple[str, ...]:
    """Names of the classes that the Hugging Face metadata of a file gives; empty where there is none."""
    opened = _open(file)
    return () if isinstance(opened, Damage) else opened.names


def _open(file: BinaryIO) -> _Opened | Damage:
    size = file.seek(0, 2)
    ours = footer_problem(file)
    if isinstance(ours, tuple):
        return Damage(0, 0, *ours, size)
    file.seek(0)
    try:
        opened = pq.ParquetFile(file)
        schema = opened.schema_arrow
        maps = groups_from_json(opened.metadata.metadata[GROUPS.encode()]) if ours else ()
    except _UNREADABLE as error:
        return Damage(0, 0, "bad_footer", f"it is no whole Parquet file ({_first_line(error)})", size)
    image = image_leaf(schema)
    if image is None:
        return Damage(0, 0, "no_image", f"no column holds images; there are: {', '.join(schema.names)}", size)
    top = image if image in schema.names else image.rsplit(".", 1)[0]
    columns = (top, *scalar_columns(schema), *(["exif"] if ours else []))
    return _Opened(opened, file, image, columns, class_names_in(schema.metadata), maps)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
