"""Each format through `prepare`, `verify`, its repair and `show`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from shardmill.dataset import Dataset
from shardmill.errors import UsageError
from shardmill.formats.base import Damage, Sample
from shardmill.operations.prepare.run import prepare
from shardmill.operations.show.run import show
from shardmill.operations.verify.result import Repair
from shardmill.operations.verify.run import verify
from tests.outputs import contents, samples
from tests.pictures import CLASSES, class_folder

KINDS = [("tfrecord", "gzip"), ("webdataset", "none"), ("parquet", "zstd")]
OPTIONS: dict[str, Any] = {"size": "32", "splits": "train=0.7,val=0.3", "num_shards": "3", "max_errors": "50%"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("source"), 30, odd=True)


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def kind(request: pytest.FixtureRequest) -> dict[str, Any]:
    shard_format, compression = request.param
    return {"format": shard_format, "compression": compression, **OPTIONS}


@pytest.fixture(scope="module")
def prepared(kind: dict[str, Any], source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    dest = tmp_path_factory.mktemp("set")
    prepare(str(source), str(dest), workers=1, **kind)
    return dest


def records(dest: Path | str) -> list[Sample]:
    dataset = Dataset.open(str(dest))
    found = [record for shard in dataset.shards for record in dataset.records(shard)]
    assert not any(isinstance(record, Damage) for record in found)
    return [record[1] for record in found if isinstance(record, tuple)]


@pytest.fixture(scope="module")
def expected(source: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """What TFRecords without compression hold."""
    dest = tmp_path_factory.mktemp("reference")
    prepare(str(source), str(dest), **OPTIONS)
    return records(dest)


@pytest.mark.parametrize("workers", [2, 5])
def test_number_of_workers(workers: int, kind: dict[str, Any], source: Path, prepared: Path, tmp_path: Path) -> None:
    prepare(str(source), str(tmp_path), workers=workers, **kind)
    assert contents(tmp_path) == contents(prepared)


def test_records_are_the_same_in_each_format(prepared: Path, expected: list[Sample]) -> None:
    assert records(prepared) == expected


def test_the_samples_tables_say_where_each_record_lies(prepared: Path) -> None:
    dataset = Dataset.open(str(prepared))
    rows = {row["key"]: row for row in samples(prepared) if row["status"] == "written"}
    for shard in dataset.shards:
        with dataset.store.open(shard.name) as file:
            for record in list(dataset.shard_format.read(file)):
                assert isinstance(record, tuple)
                placement, sample = record
                row = rows.pop(sample.key)
                assert (row["offset"], row["length"]) == (placement.offset, placement.length)
                assert dataset.shard_format.read_at(file, placement) == sample
    assert rows == {}


def test_verify_finds_it_whole(prepared: Path, expected: list[Sample]) -> None:
    result = verify(str(prepared))
    assert result.findings == ()
    assert result.records == len(expected)


def test_a_damaged_shard_is_found_and_repaired(prepared: Path, tmp_path: Path) -> None:
    dest = Path(shutil.copytree(prepared, tmp_path / "set"))
    dataset = Dataset.open(str(dest))
    shard = dataset.shards[0]
    assert shard.count is not None
    with dataset.store.open(shard.name) as file:
        places = [record[0] for record in dataset.shard_format.read(file) if isinstance(record, tuple)]
    content = bytearray((dest / shard.name).read_bytes())
    gzipped = shard.name.endswith(".gz")
    content[len(content) // 2 if gzipped else places[3].offset + 600] ^= 0x20
    (dest / shard.name).write_bytes(content)
    result = verify(str(dest))
    assert {finding.file for finding in result.findings} == {shard.name}
    if not gzipped:
        assert [(finding.record, finding.offset) for finding in result.findings] == [(3, places[3].offset)]
    repaired = verify(str(dest), repair=True)
    assert repaired.ok, repaired.findings
    (repair,) = repaired.repairs
    assert repair.lost > 0 if gzipped else repair == Repair(shard.name, "salvaged", shard.count - 1, 1, shard.name)
    assert len(records(dest)) == len(records(prepared)) - repair.lost


def test_shards_without_manifest(prepared: Path, tmp_path: Path, expected: list[Sample]) -> None:
    for shard in Dataset.open(str(prepared)).shards:
        shutil.copy(prepared / shard.name, tmp_path)
    assert {sample.key: sample for sample in records(tmp_path)} == {sample.key: sample for sample in expected}
    result = verify(str(tmp_path))
    assert result.ok
    assert result.records == len(expected)
    drawn = show(str(tmp_path), output=str(tmp_path / "sheet.png"), count=9)
    assert drawn.shown == 9
    assert drawn.damage == ()
    name = Dataset.open(str(tmp_path)).shards[0].name
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 0x20
    (tmp_path / name).write_bytes(content)
    (repair,) = verify(str(tmp_path), repair=True).repairs
    assert (repair.action, repair.written_to) == ("copied", f"{name}.repaired")
    assert repair.lost > 0


def test_show_draws_it(prepared: Path, tmp_path: Path) -> None:
    result = show(str(prepared), output=str(tmp_path / "sheet.png"), count=12)
    assert result.shown == 12
    assert [entry.name for entry in result.facts.classes] == list(CLASSES)


def test_names_and_indexes(prepared: Path, kind: dict[str, Any]) -> None:
    suffix = {"tfrecord": ".tfrecord", "webdataset": ".tar", "parquet": ".parquet"}[kind["format"]]
    if kind == {**kind, "format": "tfrecord", "compression": "gzip"}:
        suffix = ".tfrecord.gz"
    names = sorted(path.name for path in prepared.iterdir() if path.name.startswith(("train", "val")))
    shards = ["train-00000-of-00002", "train-00001-of-00002", "val-00000-of-00001"]
    indexed = suffix in (".tfrecord", ".tar")
    wanted = [f"{shard}{suffix}{end}" for shard in shards for end in (["", ".idx"] if indexed else [""])]
    assert names == wanted


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"format": "webdataset", "compression": "gzip"}, "--compression gzip is not for webdataset"),
        ({"compression": "zstd"}, "--compression zstd is not for tfrecord: its readers know gzip"),
        ({"format": "parquet", "feature_keys": "tfds"}, "--feature-keys is for --format tfrecord"),
        ({"format": "parquet", "tfds": "x"}, "--feature-keys is for --format tfrecord|--tfds makes TFRecords"),
        ({"compression": "gzip", "tfds": "x"}, "--tfds makes TFRecords without compression"),
    ],
)
def test_what_does_not_go_together(wrong: dict[str, Any], message: str, source: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        prepare(str(source), str(tmp_path / "out"), **wrong)
    assert not (tmp_path / "out").exists()


def test_started_again_from_scratch(source: Path, prepared: Path, kind: dict[str, Any], tmp_path: Path) -> None:
    dest = Path(shutil.copytree(prepared, tmp_path / "set"))
    assert prepare(str(source), str(dest), **kind).already_complete
    prepare(str(source), str(dest), on_exists="overwrite", **OPTIONS)
    assert sorted(path.name for path in dest.glob("*-of-*")) == sorted(
        name for shard in Dataset.open(str(dest)).shards for name in (shard.name, shard.index_name)
    )
