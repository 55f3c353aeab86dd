from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from shardmill.dataset import Dataset
from shardmill.errors import DamageError, UsageError
from shardmill.formats.base import Sample
from shardmill.formats.file_names import missing_siblings, shard_kind, split_of
from shardmill.formats.tfrecord import TFRecordFormat
from shardmill.operations.prepare.run import prepare
from tests.pictures import CLASSES, class_folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    prepare(str(class_folder(folder / "images", 9)), str(folder / "set"), size="16", num_shards="2", workers=1)
    return folder / "set"


def write(path: Path, *, keys: str = "k") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        writer = TFRecordFormat("tfds").writer(file)
        writer.add(Sample(keys, b"\xff\xd8\xff", 1, "", 0, 0, "f"))
        writer.finish()


def test_a_prepared_set(prepared: Path) -> None:
    dataset: Dataset = pickle.loads(pickle.dumps(Dataset.open(str(prepared))))
    assert dataset.labels == CLASSES
    assert dataset.splits == ("train",)
    assert dataset.of_split("train") == dataset.shards
    assert [shard.name for shard in dataset.shards] == [
        "train-00000-of-00002.tfrecord",
        "train-00001-of-00002.tfrecord",
    ]
    assert sum(shard.count or 0 for shard in dataset.shards) == 9
    records = [record[1] for shard in dataset.shards for record in dataset.records(shard) if isinstance(record, tuple)]
    named = sorted(sample.key.removesuffix(".jpg") for sample in records)
    assert named == sorted(f"{CLASSES[n % 3]}/{n:04d}" for n in range(9))
    assert all(sample.text == CLASSES[sample.label] == sample.key.partition("/")[0] for sample in records)


def test_an_unfinished_set_is_refused(prepared: Path, tmp_path: Path) -> None:
    for name in ("_manifest.json", "train-00000-of-00002.tfrecord"):
        (tmp_path / name).write_bytes((prepared / name).read_bytes())
    with pytest.raises(DamageError, match=r"is not finished \(no _SUCCESS\); run the same prepare command again"):
        Dataset.open(str(tmp_path))
    dataset = Dataset.open(str(tmp_path), allow_incomplete=True)
    assert not dataset.complete
    assert len(dataset.shards) == 2
    (tmp_path / "_manifest.json").unlink()
    (tmp_path / "_plan").mkdir()
    with pytest.raises(DamageError, match="not finished"):
        Dataset.open(str(tmp_path))
    assert [shard.split for shard in Dataset.open(str(tmp_path), allow_incomplete=True).shards] == ["train"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\xff", b'{"format": "shardmill/1"}', b'{"format": "shardmill/9"}']
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "_manifest.json").write_bytes(content)
    (tmp_path / "_SUCCESS").touch()
    with pytest.raises(DamageError, match=r"_manifest\.json is"):
        Dataset.open(str(tmp_path))


def test_files_of_others(tmp_path: Path) -> None:
    for name in (
        "a/train-00000-of-00001",
        "b.tfrecords",
        "s-val.tfrecord-00000-of-00001",
        "notes.txt",
        "b.tfrecords.idx",
    ):
        write(tmp_path / name, keys=name)
    (tmp_path / "label.labels.txt").write_text("no\nyes\n")
    dataset = Dataset.open(str(tmp_path))
    assert [(shard.name, shard.split) for shard in dataset.shards] == [
        ("a/train-00000-of-00001", "train"),
        ("b.tfrecords", "b"),
        ("s-val.tfrecord-00000-of-00001", "val"),
    ]
    (record,) = dataset.records(dataset.shards[1])
    assert isinstance(record, tuple)
    assert (record[1].key, record[1].label, record[1].text) == ("b.tfrecords", 1, "yes")
    assert [shard.name for shard in Dataset.open(f"{tmp_path}/*/train-*").shards] == ["a/train-00000-of-00001"]
    assert [shard.name for shard in Dataset.open(f"{tmp_path}/notes.txt").shards] == ["notes.txt"]


def test_label_lines_with_their_numbers(tmp_path: Path) -> None:
    write(tmp_path / "x.tfrecord")
    (tmp_path / "labels.txt").write_text("0:no\n1:yes:really\n")
    assert Dataset.open(str(tmp_path)).labels == ("no", "yes:really")


def test_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no shard"):
        Dataset.open(str(tmp_path))
    with pytest.raises(UsageError, match="holds no shard"):
        Dataset.open(f"{tmp_path}/x-*")
    with pytest.raises(UsageError, match="there is nothing at"):
        Dataset.open(f"{tmp_path}/x")


@pytest.mark.parametrize(
    ("name", "kind", "split"),
    [
        ("train-00000-of-01024", "tfrecord", "train"),
        ("train-00000-of-00016.tfrecord", "tfrecord", "train"),
        ("train-00000-of-00016.tfrecord.gz", "tfrecord", "train"),
        ("deep/er/00012.tfrecord", "tfrecord", "train"),
        ("x.tfrecord.gz", "tfrecord", "x"),
        ("mnist-train.tfrecord-00000-of-00001", "tfrecord", "train"),
        ("00012.tar", "webdataset", "train"),
        ("val-000012.tar", "webdataset", "val"),
        ("train-00000-of-00003.tar", "webdataset", "train"),
        ("data/test-00000-of-00003.parquet", "parquet", "test"),
        ("x.parquet", "parquet", "x"),
        ("_samples/part-00000.parquet", None, "part-00000.parquet"),
        ("train-00000-of-00016.tfrecord.idx", None, "train-00000-of-00016.tfrecord.idx"),
        ("train-00000-of-00002.repaired", None, "train-00000-of-00002.repaired"),
        ("_tmp/x.tfrecord", None, "x.tfrecord"),
        (".x.tfrecord", None, ".x.tfrecord"),
        ("tfrecord", None, "tfrecord"),
        ("a.jpg", None, "a.jpg"),
    ],
)
def test_names_of_shards(name: str, kind: str | None, split: str) -> None:
    assert shard_kind(name) == kind
    assert split_of(name) == split


def test_tables_beside_tars_are_no_shards(tmp_path: Path) -> None:
    for name in ("00000.tar", "00000.parquet", "00000_stats.json"):
        (tmp_path / name).touch()
    assert [shard.name for shard in Dataset.open(str(tmp_path)).shards] == ["00000.tar"]
    (tmp_path / "x.tfrecord").touch()
    with pytest.raises(UsageError, match=r"shards of several kinds \(tfrecord, webdataset\); name those of one kind"):
        Dataset.open(str(tmp_path))


def test_missing_siblings() -> None:
    assert missing_siblings(["t-00000-of-00003.tfrecord", "t-00002-of-00003.tfrecord", "v-00000-of-00001", "x"]) == [
        "t-00001-of-00003.tfrecord"
    ]
