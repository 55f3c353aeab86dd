from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shardmill.errors import UsageError
from shardmill.formats.base import Compression, Damage, Format, FormatOptions, Sample
from shardmill.formats.parquet import ParquetFormat, class_names
from shardmill.testing.formats import FormatConformance, read, samples, write
from tests.extras import needed
from tests.pictures import CLASSES, jpeg

JPEG = b"\xff\xd8\xff\xe0 and more"


class TestParquet(FormatConformance):
    @pytest.fixture(params=["none", "zstd", "gzip", "snappy"])
    def shard_format(self, request: pytest.FixtureRequest) -> Format:
        return ParquetFormat(request.param)


class TestParquetWithClasses(FormatConformance):
    @pytest.fixture
    def shard_format(self) -> Format:
        return ParquetFormat(classes=CLASSES)


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_images_lie_where_their_placement_says(compression: Compression) -> None:
    many = [replace(samples(1)[0], key=str(number), image=jpeg(number)) for number in range(250)]
    shard, placements, _ = write(ParquetFormat(compression), many)
    assert [shard[place.offset : place.offset + place.length] for place in placements] == [one.image for one in many]
    metadata = pq.ParquetFile(io.BytesIO(shard)).metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [100, 100, 50]
    assert [record[1] for record in read(ParquetFormat(), shard) if isinstance(record, tuple)] == many


def test_a_broken_row_costs_that_row() -> None:
    shard, placements, _ = write(ParquetFormat(), samples())
    damaged = bytearray(shard)
    damaged[placements[2].offset + 5] ^= 1
    found = read(ParquetFormat(), bytes(damaged))
    assert [record.kind if isinstance(record, Damage) else record[1].label for record in found] == [
        0,
        300,
        "data_crc",
        900,
    ]
    assert isinstance(found[2], Damage)
    assert found[2].offset == placements[2].offset


def test_a_broken_row_group_costs_no_other() -> None:
    many = [replace(samples(1)[0], key=str(number)) for number in range(250)]
    shard, placements, _ = write(ParquetFormat(), many)
    damaged = bytearray(shard)
    damaged[placements[120].offset - 1] ^= 0xFF  # the length before an image
    found = read(ParquetFormat(), bytes(damaged))
    damages = [record for record in found if isinstance(record, Damage)]
    assert [damage.kind for damage in damages] == ["row_group"]
    assert damages[0].offset < placements[100].offset < placements[199].offset < damages[0].offset + damages[0].length
    assert [record[1].key for record in found if isinstance(record, tuple)] == [
        str(number) for number in range(250) if not 100 <= number < 200
    ]
    copy = io.BytesIO()
    assert ParquetFormat().salvage(io.BytesIO(bytes(damaged)), copy, ()) == (150, 100)
    assert len(read(ParquetFormat(), copy.getvalue())) == 150


def foreign(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def test_files_of_others() -> None:
    features = {"img": {"_type": "Image"}, "label": {"names": ["no", "yes"], "_type": "ClassLabel"}}
    table = pa.table(
        {
            "img": pa.array([{"bytes": JPEG, "path": "a/b.jpg"}, {"bytes": JPEG, "path": None}, None]),
            "label": pa.array([1, None, 0]),
            "boxes": pa.array([[1.0], [], None]),
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    shard = foreign(table, row_group_size=2)
    first, second, third = read(ParquetFormat(), shard)
    assert isinstance(first, tuple)
    assert isinstance(second, tuple)
    assert isinstance(third, Damage)
    assert first[1] == Sample("b.jpg", JPEG, 1, "yes", 0, 0, "b.jpg", "JPEG")
    assert (second[1].label, second[1].text) == (-1, "")
    assert third.kind == "no_image"
    places = ParquetFormat().locate(io.BytesIO(shard))
    assert places is not None
    assert [place.length for place in places] == [0, 0, 0]
    assert ParquetFormat().read_at(io.BytesIO(shard), places[0]) == first[1]
    assert class_names(io.BytesIO(shard)) == ("no", "yes")


def test_plain_columns_of_bytes_serve_too() -> None:
    for table in (
        pa.table({"caption": ["x"], "jpg": pa.array([JPEG], pa.large_binary()), "width": [5]}),
        pa.table({"jpg": [JPEG], "caption": pa.array(["x"], pa.large_string()), "width": [5]}),
    ):
        (record,) = read(ParquetFormat(), foreign(table))
        assert isinstance(record, tuple)
        assert (record[1].image, record[1].text, record[1].width) == (JPEG, "x", 5)


@pytest.mark.parametrize("metadata", [b"", b"{", b"[]", b'{"info": {"features": {"label": {"_type": "ClassLabel"}}}}'])
def test_metadata_that_says_nothing(metadata: bytes) -> None:
    table = pa.table({"image": [JPEG]}).replace_schema_metadata({"huggingface": metadata})
    assert class_names(io.BytesIO(foreign(table))) == ()


def test_a_table_without_images_is_damage() -> None:
    (damage,) = read(ParquetFormat(), foreign(pa.table({"x": [1], "y": ["z"]})))
    assert isinstance(damage, Damage)
    assert damage.kind == "no_image"
    assert "x, y" in damage.detail


def test_feature_keys_are_refused() -> None:
    with pytest.raises(UsageError, match="--feature-keys is for --format tfrecord"):
        ParquetFormat.from_options(FormatOptions(feature_keys="tfds"))


def test_datasets_reads_every_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = needed("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    written = [replace(samples(1)[0], key=str(n), image=jpeg(n, 32, 24), label=n % 3) for n in range(120)]
    (tmp_path / "train-00000-of-00001.parquet").write_bytes(write(ParquetFormat("zstd", CLASSES), written)[0])
    found = datasets.Dataset.from_parquet(str(tmp_path / "train-00000-of-00001.parquet"), cache_dir=str(tmp_path / "c"))
    assert found.features["label"].names == list(CLASSES)
    assert found["label"] == [n % 3 for n in range(120)]
    assert found[7]["image"].size == (32, 24)
    pixels = np.asarray(found[7]["image"])
    assert np.array_equal(pixels, np.asarray(datasets.Image().decode_example({"bytes": jpeg(7, 32, 24), "path": None})))
