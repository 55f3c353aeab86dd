from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shardmill.errors import UsageError
from shardmill.sources.base import BATCH_ROWS, LISTING, StagedSource
from shardmill.sources.open import open_source
from shardmill.sources.spec import SourceSpec

pytestmark = pytest.mark.oldest

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


class Blobs:
    """Stages into memory, a new blob every hundred bytes."""

    def __init__(self) -> None:
        self.blobs: list[bytes] = [b""]

    def add(self, image: bytes) -> tuple[str, int]:
        if len(self.blobs[-1]) >= 100:
            self.blobs.append(b"")
        offset = len(self.blobs[-1])
        self.blobs[-1] += image
        return f"blob-{len(self.blobs) - 1}", offset

    def image(self, row: dict[str, Any]) -> bytes:
        number = int(row["uri"].removeprefix("blob-"))
        return self.blobs[number][row["offset"] : row["offset"] + row["size"]]


def staged(source: Path, **spec: Any) -> tuple[list[dict[str, Any]], Blobs]:
    opened = open_source(str(source), SourceSpec(**spec))
    assert isinstance(opened, StagedSource)
    results = []
    for _ in range(2):
        blobs = Blobs()
        batches = list(opened.staged_batches(blobs))
        assert all(0 < batch.num_rows <= BATCH_ROWS for batch in batches)
        assert all(pa.schema(list(batch.schema)[: len(LISTING)]).equals(LISTING) for batch in batches)
        results.append(([row for batch in batches for row in batch.to_pylist()], blobs))
    assert results[0][0] == results[1][0]
    assert results[0][1].blobs == results[1][1].blobs
    return results[0]


def write(
    path: Path,
    images: Sequence[dict[str, Any] | None],
    labels: Sequence[int | None],
    features: dict[str, Any] | None = None,
) -> Path:
    table = pa.table({"image": pa.array(images, IMAGE), "label": pa.array(labels, pa.int64())})
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, row_group_size=100)
    return path


def test_bytes_are_staged_and_come_back(tmp_path: Path) -> None:
    images: list[dict[str, Any]] = [
        {"bytes": f"image {number}".encode(), "path": f"{number}.jpg"} for number in range(250)
    ]
    rows, blobs = staged(write(tmp_path / "train.parquet", images, [number % 3 for number in range(250)]))
    assert [blobs.image(row) for row in rows] == [image["bytes"] for image in images]
    assert [row["key"] for row in rows] == [f"{number}.jpg" for number in range(250)]
    assert [row["label"] for row in rows[:4]] == ["0", "1", "2", "0"]


def test_rows_without_bytes_or_path(tmp_path: Path) -> None:
    images: list[dict[str, Any] | None] = [
        {"bytes": b"x", "path": None},
        {"bytes": None, "path": "../b.jpg"},
        {"bytes": None, "path": None},
        None,
        {"bytes": b"", "path": "e"},
    ]
    rows, _ = staged(write(tmp_path / "photos.parquet", images, [None] * 5))
    assert [(row["key"], row["uri"], row["offset"], row["size"]) for row in rows] == [
        ("photos/000000000", "blob-0", 0, 1),
        ("__/b.jpg", "../b.jpg", None, None),
        ("photos/000000002", "", None, None),
        ("photos/000000003", "", None, None),
        ("e", "blob-0", 1, 0),
    ]


def test_rows_count_on_through_the_file(tmp_path: Path) -> None:
    rows, _ = staged(write(tmp_path / "x.parquet", [{"bytes": b"x", "path": None}] * 250, [None] * 250))
    assert [row["key"] for row in rows] == [f"x/{number:09d}" for number in range(250)]


def test_class_names_of_the_datasets_library(tmp_path: Path) -> None:
    features = {"image": {"_type": "Image"}, "label": {"names": ["tench", "hen", "ant"], "_type": "ClassLabel"}}
    path = write(tmp_path / "x.parquet", [{"bytes": b"x", "path": "a"}] * 4, [2, 0, -1, None], features)
    assert [row["label"] for row in staged(path)[0]] == ["ant", "tench", None, None]
    assert open_source(str(path), SourceSpec()).class_names == ("tench", "hen", "ant")
    write(path, [{"bytes": b"x", "path": "a"}], [3], features)
    with pytest.raises(
        UsageError, match=r"column 'label' of x\.parquet holds a number that has no name among its 3 classes"
    ):
        staged(path)


@pytest.mark.parametrize(
    "metadata",
    ["{", "[]", '{"info": {"features": {"label": null}}}', '{"info": {"features": {"label": {"_type": "Value"}}}}'],
)
def test_metadata_of_another_kind_is_left_alone(tmp_path: Path, metadata: str) -> None:
    path = write(tmp_path / "x.parquet", [{"bytes": b"x", "path": "a"}], [2])
    pq.write_table(pq.read_table(path).replace_schema_metadata({"huggingface": metadata}), path)
    assert [row["label"] for row in staged(path)[0]] == ["2"]


def test_several_files_and_their_splits(tmp_path: Path) -> None:
    for split in ("test", "train"):
        write(tmp_path / f"{split}-00000-of-00001.parquet", [{"bytes": split.encode(), "path": None}], [1])
    rows, blobs = staged(tmp_path)
    assert [(row["key"], row["split"], blobs.image(row)) for row in rows] == [
        ("test-00000-of-00001/000000000", "test", b"test"),
        ("train-00000-of-00001/000000000", "train", b"train"),
    ]


def test_plain_binary_column_with_keys_and_more(tmp_path: Path) -> None:
    table = pa.table({"content": [b"x", b"yz"], "id": ["/a", None], "caption": ["one", "two"]})
    pq.write_table(table, tmp_path / "x.parquet")
    rows, blobs = staged(tmp_path / "x.parquet", key_col="id")
    assert [(row["key"], blobs.image(row), row["col:caption"]) for row in rows] == [
        ("a", b"x", "one"),
        ("x/000000001", b"yz", "two"),
    ]
