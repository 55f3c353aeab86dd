"""Opened by the real tensorflow_datasets."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shardmill.errors import UsageError
from shardmill.formats.base import Sample
from shardmill.formats.tfds import TfdsSplit, tfds_files
from shardmill.formats.tfrecord import TFRecordFormat
from tests.extras import needed

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, on import


def _jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 60)).save(file, "JPEG")
    return file.getvalue()


def _write(folder: Path, class_names: list[str], image_shape: tuple[int, int] | None) -> None:
    splits = []
    for split, counts in (("train", (2, 1)), ("val", (1,))):
        sizes = []
        for number, count in enumerate(counts):
            path = folder / f"flowers-{split}.tfrecord-{number:05d}-of-{len(counts):05d}"
            with path.open("wb") as file:
                writer = TFRecordFormat("tfds").writer(file)
                for index in range(count):
                    name = f"{split}{number}{index}.jpg"
                    writer.add(Sample(f"a/{name}", _jpeg(12, 8), index % 2, "", 12, 8, name))
                writer.finish()
            sizes.append(path.stat().st_size)
        splits.append(TfdsSplit(split, counts, tuple(sizes)))
    for name, content in tfds_files("flowers", "1.2.0", splits, class_names, image_shape).items():
        (folder / name).write_bytes(content)


def _builder(folder: Path) -> Any:
    tfds = needed("tensorflow_datasets")
    return tfds.builder_from_directory(str(folder))


@pytest.mark.tensorflow
@pytest.mark.parametrize("shape", [None, (8, 12)])
def test_tfds_opens_and_reads_it(tmp_path: Path, shape: tuple[int, int] | None) -> None:
    _write(tmp_path, ["daisy", "rose petal"], shape)
    builder = _builder(tmp_path)
    assert builder.info.name == "flowers"
    assert str(builder.info.version) == "1.2.0"
    assert builder.info.features["label"].names == ["daisy", "rose petal"]
    assert builder.info.features["image"].shape == (*(shape or (None, None)), 3)
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {"train": 3, "val": 1}
    assert builder.info.splits["train"].num_bytes == sum(p.stat().st_size for p in tmp_path.glob("*train*")) - 3 * 16
    read = [
        (record["file_name"].decode(), int(record["label"]), record["image"].shape)
        for record in builder.as_dataset("train").as_numpy_iterator()
    ]
    assert sorted(read) == [
        ("train00.jpg", 0, (8, 12, 3)),
        ("train01.jpg", 1, (8, 12, 3)),
        ("train10.jpg", 0, (8, 12, 3)),
    ]


@pytest.mark.tensorflow
def test_tfds_reads_pairs_of_image_and_plain_label(tmp_path: Path) -> None:
    _write(tmp_path, [], None)
    ((image, label),) = _builder(tmp_path).as_dataset("val", as_supervised=True).as_numpy_iterator()
    assert image.shape == (8, 12, 3)
    assert label == 0


@pytest.mark.parametrize(("name", "version"), [("my-set", "1.0.0"), ("2set", "1.0.0"), ("", "1.0.0"), ("set", "1.0")])
def test_names_that_tfds_refuses(name: str, version: str) -> None:
    with pytest.raises(UsageError, match=r"cannot name|is not a version"):
        tfds_files(name, version, [], [])
