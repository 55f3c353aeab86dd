from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import shardmill
from shardmill.dataset import Dataset
from shardmill.errors import DamageError, UsageError
from shardmill.formats.base import Sample
from shardmill.operations.prepare.run import prepare
from tests.loading.conftest import COUNT
from tests.outputs import samples
from tests.pictures import CLASSES


def pillow(jpeg: bytes) -> Any:
    import io

    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def records(dest: str) -> list[Sample]:
    dataset = Dataset.open(dest)
    found = [record for shard in dataset.shards for record in dataset.records(shard)]
    return [record[1] for record in found if isinstance(record, tuple)]


@pytest.fixture(scope="module", params=["tfrecord", "webdataset", "parquet", "tfds"])
def stored(request: pytest.FixtureRequest, image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    dest = tmp_path_factory.mktemp("stored")
    kind: dict[str, Any] = {"tfds": "trees"} if request.param == "tfds" else {"format": request.param}
    prepare(str(image_folder), str(dest), size="24", num_shards="3", splits="train=0.7,val=0.3", **kind)
    return str(dest)


def test_what_a_set_tells(stored: str) -> None:
    images = shardmill.open(stored)
    rows = samples(Path(stored))
    assert len(images) == COUNT
    assert images.labels == CLASSES
    assert images.counts == {name: sum(row["class"] == name for row in rows) for name in CLASSES}
    assert images.splits == {split: sum(row["split"] == split for row in rows) for split in ("train", "val")}
    assert images.root == stored


def test_every_sample_by_its_number(stored: str) -> None:
    images = shardmill.open(stored)
    for number, record in enumerate(records(stored)):
        item = images[number]
        assert images.encoded(number) == record.image
        assert (images.key(number), images.label(number), item.label) == (record.key, record.label, record.label)
        assert item.image.shape == (24, 24, 3)
        assert np.array_equal(item.image, pillow(record.image))
    assert np.array_equal(images[-1].image, images[COUNT - 1].image)
    assert len(list(images)) == COUNT
    with pytest.raises(IndexError):
        images[COUNT]


def test_a_split_alone(stored: str) -> None:
    images = shardmill.open(stored)
    val = images.split("val")
    assert val.splits == {"val": len(val)}
    assert {val.key(number) for number in range(len(val))} == {
        row["key"] for row in samples(Path(stored)) if row["split"] == "val"
    }
    with pytest.raises(UsageError, match="has no split 'x'; it has: train, val"):
        images.split("x")


def test_it_pickles(stored: str) -> None:
    images = shardmill.open(stored)
    images[0]
    again: shardmill.Images = pickle.loads(pickle.dumps(images))
    assert np.array_equal(again[3].image, images[3].image)


def test_batches_hold_what_their_numbers_say(stored: str) -> None:
    images = shardmill.open(stored)
    seen: list[int] = []
    for batch in images.batches(8, seed=3, num_threads=3):
        assert isinstance(batch.images, np.ndarray)
        assert batch.images.shape == (len(batch), 24, 24, 3)
        for image, label, number in zip(batch.images, batch.labels, batch.numbers, strict=True):
            item = images[int(number)]
            assert label == item.label
            assert np.array_equal(image, item.image)
        seen += batch.numbers.tolist()
    assert sorted(seen) == list(range(COUNT))


def test_images_of_several_sizes_are_a_list(ragged: str) -> None:
    images = shardmill.open(ragged)
    batch = next(iter(images.batches(COUNT, shuffle=False)))
    assert isinstance(batch.images, list)
    assert [image.shape for image in batch.images if isinstance(image, np.ndarray)] == [
        item.image.shape for item in images
    ]
    encoded = next(iter(images.batches(4, shuffle=False, decode=False)))
    assert encoded.images == [images.encoded(number) for number in range(4)]


def test_shards_of_others(stored: str) -> None:
    kind = Dataset.open(stored).shard_format.suffix
    tail = "" if (Path(stored) / "dataset_info.json").exists() else kind
    images = shardmill.open(f"{stored}/*-of-*[0-9]{tail}")
    prepared = shardmill.open(stored)
    assert len(images) == COUNT
    assert images.counts == {}
    assert np.array_equal(images[7].image, prepared[7].image)
    assert images.label(7) == prepared.label(7)
    batch = next(iter(images.batches(9, shuffle=False)))
    assert batch.labels.tolist() == [prepared.label(number) for number in range(9)]
    with pytest.raises(UsageError, match="no table of keys"):
        images.key(0)


def test_what_is_compressed_as_a_whole_is_refused(image_folder: Path, tmp_path: Path) -> None:
    prepare(str(image_folder), str(tmp_path), size="16", compression="gzip", limit=4)
    for dest in (str(tmp_path), f"{tmp_path}/*.gz"):
        with pytest.raises(UsageError, match="is compressed as a whole, so that no image in it can be read alone"):
            shardmill.open(dest)


def test_damage_names_the_record(square: str, tmp_path: Path) -> None:
    import shutil

    dest = Path(shutil.copytree(square, tmp_path / "set"))
    shard = dest / "train-00000-of-00004.tfrecord"
    content = bytearray(shard.read_bytes())
    content[400] ^= 1
    shard.write_bytes(content)
    images = shardmill.open(str(dest))
    with pytest.raises(
        DamageError, match=r"record 0 of train-00000-of-00004\.tfrecord is damaged; see `shardmill verify`"
    ):
        images[0]
    with pytest.raises(DamageError, match="record 0 of"):
        list(images.batches(8))
    (dest / "_samples/part-00000.parquet").unlink()
    with pytest.raises(DamageError, match=r"part-00000\.parquet cannot be read, which tells where images lie"):
        shardmill.open(str(dest))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 1, "num_threads": 0}, "num_threads is 0"),
        ({"batch_size": 1, "readahead": -1}, "readahead is -1"),
        ({"batch_size": 1, "world_size": 0}, "world_size is 0"),
        ({"batch_size": 1, "rank": 1}, "rank is 1 of 1"),
        ({"batch_size": 1, "ranks": "odd"}, "ranks is 'odd'; it takes exact or even"),
    ],
)
def test_wrong_numbers(wrong: dict[str, Any], message: str, square: str) -> None:
    with pytest.raises(UsageError, match=message):
        shardmill.open(square).batches(**wrong)


def test_neither_torch_nor_tensorflow_is_imported(square: str) -> None:
    program = f"""
import sys, shardmill
for batch in shardmill.open({square!r}).batches(8): pass
print(sorted({{"torch", "tensorflow"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_files_stay_open_in_bounded_number(square: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    monkeypatch.setattr("shardmill.loading.reads._MOST_OPEN", 2)
    images = shardmill.open(square)
    before = psutil.Process().num_fds()
    assert len(list(images)) == COUNT
    assert psutil.Process().num_fds() <= before + 2
    del images
    assert psutil.Process().num_fds() <= before
