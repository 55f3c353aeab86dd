"""What `prepare` writes, read by those it is written for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shardmill.operations.prepare.run import prepare
from tests.extras import needed
from tests.outputs import manifest, samples
from tests.pictures import CLASSES, class_folder

pytestmark = pytest.mark.tensorflow


@pytest.mark.oldest
def test_tensorflow_reads_every_record(tmp_path: Path) -> None:
    import tensorflow as tf

    source, dest = class_folder(tmp_path / "in", 40, odd=True), tmp_path / "out"
    prepare(str(source), str(dest), size="48", splits="train=0.7,val=0.3", num_shards="5", max_errors="3")
    rows = {row["key"]: row for row in samples(dest) if row["status"] == "written"}
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64),
        "image/class/text": tf.io.FixedLenFeature([], tf.string),
        "image/key": tf.io.FixedLenFeature([], tf.string),
        "image/height": tf.io.FixedLenFeature([], tf.int64),
    }
    seen = set()
    for shard in manifest(dest)["data"]["shards"]:
        path = dest / shard["name"]
        records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
        assert len(records) == shard["count"]
        index = [tuple(map(int, line.split())) for line in (dest / f"{shard['name']}.idx").read_text().splitlines()]
        content = path.read_bytes()
        for record, (offset, length) in zip(records, index, strict=True):
            assert content[offset + 12 : offset + length - 4] == record
            example = {name: value.numpy() for name, value in tf.io.parse_single_example(record, features).items()}
            row = rows[example["image/key"].decode()]
            assert (row["offset"], row["length"], row["split"]) == (offset, length, shard["split"])
            assert example["image/class/text"].decode() == row["key"].partition("/")[0] == CLASSES[row["label"]]
            assert example["image/class/label"] == row["label"]
            assert tf.io.decode_jpeg(example["image/encoded"]).shape == (48, 48, 3)
            seen.add(row["key"])
    assert seen == rows.keys()


def test_tfds_opens_what_was_made_for_it(tmp_path: Path) -> None:
    tfds = needed("tensorflow_datasets")
    source, dest = class_folder(tmp_path / "in", 30), tmp_path / "trees"
    prepare(str(source), str(dest), size="48", splits="train=0.7,test=0.3", num_shards="4", tfds="trees")
    builder = tfds.builder_from_directory(str(dest))
    assert builder.info.features["label"].names == list(CLASSES)
    labels = {row["key"].rpartition("/")[2]: row["label"] for row in samples(dest)}
    counts = {name: split.num_examples for name, split in builder.info.splits.items()}
    assert sum(counts.values()) == 30
    for name, count in counts.items():
        examples = list(tfds.as_numpy(builder.as_dataset(split=name)))
        assert len(examples) == count
        for example in examples:
            assert example["image"].shape == (48, 48, 3)
            assert example["image"].dtype == np.uint8
            assert example["label"] == labels.pop(example["file_name"].decode())
    assert labels == {}
