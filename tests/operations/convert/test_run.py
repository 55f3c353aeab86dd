"""Conversion: images bit for bit, and a data set like those of `prepare`."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import shardmill
from shardmill.cli.main import main
from shardmill.dataset import Dataset
from shardmill.errors import DamageError, TooManyFailuresError, UsageError
from shardmill.formats.base import Sample
from shardmill.operations.convert.run import convert
from shardmill.operations.prepare.run import prepare
from shardmill.operations.show.run import show
from shardmill.operations.verify.run import verify
from tests.outputs import contents, manifest, outcomes
from tests.pictures import CLASSES, class_folder, jpeg


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("convert")
    source = class_folder(folder / "images", 24, odd=True)
    options: dict[str, Any] = {"size": "32", "num_shards": "3", "splits": "train=0.7,val=0.3", "max_errors": "50%"}
    prepare(str(source), str(folder / "set"), **options)
    return folder / "set"


def records(dest: Path | str) -> list[Sample]:
    dataset = Dataset.open(str(dest))
    found = [record for shard in dataset.shards for record in dataset.records(shard)]
    return [record[1] for record in found if isinstance(record, tuple)]


def test_there_and_back_again(prepared: Path, tmp_path: Path) -> None:
    here, expected = prepared, records(prepared)
    for step, (kind, compression) in enumerate(
        [("webdataset", "none"), ("parquet", "zstd"), ("tfrecord", "gzip"), ("parquet", "none"), ("tfrecord", "none")]
    ):
        result = convert(str(here), str(tmp_path / str(step)), format=kind, compression=compression)  # type: ignore[arg-type]
        here = tmp_path / str(step)
        assert result.written == len(expected)
        assert records(here) == expected
        assert verify(str(here)).findings == ()
    before, after = contents(prepared), contents(here)
    same = [name for name in before if name.startswith(("train", "val", "labels", "_duplicates"))]
    assert len(same) == 8
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    facts, data = manifest(prepared)["data"], manifest(here)["data"]
    for name in ("totals", "splits", "classes", "channels", "conversions", "reasons", "duplicates", "transform"):
        assert data[name] == facts[name], name
    assert outcomes(here) == outcomes(prepared)


@pytest.mark.parametrize("workers", [1, 5])
def test_number_of_workers(workers: int, prepared: Path, tmp_path: Path) -> None:
    convert(str(prepared), str(tmp_path / "a"), format="parquet", workers=2)
    convert(str(prepared), str(tmp_path / "b"), format="parquet", workers=workers)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_it_can_be_loaded_and_shown(prepared: Path, tmp_path: Path) -> None:
    convert(str(prepared), str(tmp_path / "set"), format="parquet")
    images, before = shardmill.open(str(tmp_path / "set")), shardmill.open(str(prepared))
    assert images.counts == before.counts
    assert [images.key(number) for number in range(len(images))] == [before.key(n) for n in range(len(before))]
    assert [images.encoded(number) for number in range(len(images))] == [before.encoded(n) for n in range(len(before))]
    assert show(str(tmp_path / "set"), output=str(tmp_path / "x.png"), count=9).shown == 9


def test_it_goes_on_where_it_stopped(prepared: Path, tmp_path: Path) -> None:
    dest = tmp_path / "set"
    convert(str(prepared), str(dest), format="webdataset")
    whole = contents(dest)
    (dest / "_SUCCESS").unlink()
    (dest / "_samples/part-00001.parquet").unlink()
    kept = (dest / "train-00000-of-00002.tar").stat().st_mtime_ns
    with pytest.raises(DamageError, match="not finished"):
        Dataset.open(str(dest))
    assert not convert(str(prepared), str(dest), format="webdataset").already_complete
    assert contents(dest) == whole
    assert (dest / "train-00000-of-00002.tar").stat().st_mtime_ns == kept
    assert convert(str(prepared), str(dest), format="webdataset").already_complete


def test_what_is_there_already(prepared: Path, tmp_path: Path) -> None:
    dest = tmp_path / "set"
    convert(str(prepared), str(dest), format="webdataset")
    with pytest.raises(UsageError, match="holds something else than this conversion would make"):
        convert(str(prepared), str(dest), format="parquet")
    with pytest.raises(UsageError, match="already holds a data set"):
        convert(str(prepared), str(dest), format="webdataset", on_exists="fail")
    with pytest.raises(UsageError, match="was begun with other options"):
        prepare(str(prepared.parent / "images"), str(dest))
    with pytest.raises(UsageError, match="SRC and DEST are one folder"):
        convert(str(dest), str(dest), format="parquet")
    convert(str(prepared), str(dest), format="parquet", on_exists="overwrite")
    assert verify(str(dest)).ok
    assert not list(dest.glob("*.tar*"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").touch()
    with pytest.raises(UsageError, match=r"is not empty \(notes\.txt\)"):
        convert(str(prepared), str(tmp_path / "other"), format="parquet")


def test_a_damaged_set_of_ours_is_refused(prepared: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(prepared, tmp_path / "source"))
    shard = source / "train-00000-of-00002.tfrecord"
    content = bytearray(shard.read_bytes())
    content[500] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DamageError, match=r"record 0 is damaged .* Run `shardmill verify .* --repair` first"):
        convert(str(source), str(tmp_path / "out"), format="parquet")
    assert verify(str(source), repair=True).ok
    convert(str(source), str(tmp_path / "out"), format="parquet", on_exists="overwrite")
    assert verify(str(tmp_path / "out")).ok
    assert len(records(tmp_path / "out")) == len(records(prepared)) - 1


def tar(path: Path, *members: tuple[str, bytes]) -> None:
    with tarfile.open(path, "w") as file:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))


def test_shards_of_others(tmp_path: Path) -> None:
    source = tmp_path / "tars"
    source.mkdir()
    whole = jpeg(1, 40, 30)
    tar(source / "00000.tar", ("a.jpg", whole), ("a.cls", b"2"), ("b.jpg", whole[:300]), ("b.cls", b"0"))
    tar(source / "00001.tar", ("a.png", jpeg(2, 20, 20)), ("a.json", json.dumps({"label": 1, "text": "x"}).encode()))
    with pytest.raises(TooManyFailuresError, match="1 records failed, more than --max-errors allows, 0"):
        convert(str(source), str(tmp_path / "out"), format="parquet")
    with pytest.raises(DamageError, match="not finished"):
        Dataset.open(str(tmp_path / "out"))
    result = convert(str(source), str(tmp_path / "out"), format="parquet", max_errors="1")
    assert (result.written, result.failed) == (2, 1)
    assert verify(str(tmp_path / "out")).findings == ()
    found = {sample.key: sample for sample in records(tmp_path / "out")}
    assert set(found) == {"00000/a", "00001/a"}
    assert found["00000/a"].image == whole
    assert (found["00000/a"].width, found["00000/a"].height, found["00000/a"].label) == (40, 30, 2)
    assert [entry["name"] for entry in manifest(tmp_path / "out")["data"]["classes"]] == ["0", "x", "2"]
    assert outcomes(tmp_path / "out") == {"00000/a": "written", "00000/b": "failed", "00001/a": "written"}
    images = shardmill.open(str(tmp_path / "out"))
    assert images[0].image.shape == (30, 40, 3)


def test_class_names_of_others(tmp_path: Path) -> None:
    features = {"image": {"_type": "Image"}, "label": {"names": list(CLASSES), "_type": "ClassLabel"}}
    table = pa.table({"image": [{"bytes": jpeg(n), "path": f"{n}.jpg"} for n in range(3)], "label": [0, 2, 2]})
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        named = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        pq.write_table(named, tmp_path / f"data/{split}-00000-of-00001.parquet")
    convert(str(tmp_path / "data"), str(tmp_path / "out"), format="tfrecord")
    assert verify(str(tmp_path / "out")).ok
    images = shardmill.open(str(tmp_path / "out"))
    assert images.labels == CLASSES
    assert images.splits == {"test": 3, "train": 3}
    assert images.counts == {"ash": 2, "birch": 0, "cedar": 4}


def test_command_line(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["convert", str(prepared), str(tmp_path / "set"), "--format", "webdataset"]
    assert main(words) == 0
    assert "records in 3 shards (webdataset)" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["already_complete"] is True
    assert main([*words[:3], "--format", "webdataset", "--compression", "zstd"]) == 2
    assert "--compression zstd is not for webdataset" in capsys.readouterr().err
