from __future__ import annotations

from pathlib import Path

import pytest

from shardmill.errors import DamageError, UsageError
from shardmill.operations.prepare.run import prepare
from shardmill.speedtest import material
from shardmill.speedtest.material import open_files, open_shards, spread


def test_a_prepared_set_is_read_as_it_is_unless_another_size_is_asked_for(shards: Path) -> None:
    assert open_shards(str(shards)).size is None
    assert open_shards(str(shards), (48, 40)).size is None
    assert open_shards(str(shards), (20, 20)).size == (20, 20)
    assert (open_shards(str(shards)).images, open_shards(str(shards)).format) == (30, "tfrecord")


@pytest.mark.parametrize("format", ["webdataset", "parquet"])
def test_formats_are_told_apart(photos: Path, tmp_path: Path, format: str) -> None:
    prepare(str(photos), str(tmp_path / "set"), size="32", format=format)
    assert open_shards(str(tmp_path / "set")).format == format


def test_the_files_of_a_window_cover_what_is_read(shards: Path) -> None:
    ours = open_shards(str(shards))
    assert ours.files_of(window=1, images=5, lanes=1) == [ours.shards[1].name]
    assert ours.files_of(window=2, images=15, lanes=1) == [ours.shards[2].name, ours.shards[0].name]
    assert len(ours.files_of(window=0, images=5, lanes=2)) == 2
    assert len(ours.files_of(window=0, images=500, lanes=2)) == 3


def test_the_files_of_a_window_of_files_are_those_behind_the_window_before(photos: Path) -> None:
    files = open_files(str(photos), (48, 40))
    names = files.all_files()
    assert files.files_of(window=1, images=8, lanes=2) == names[8:16]
    assert files.files_of(window=3, images=8, lanes=2) == [*names[24:], *names[:2]]
    assert len(files.files_of(window=0, images=100, lanes=1)) == 30


def test_of_too_many_files_some_are_taken_evenly(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert spread(list("abcdefghij"), 4) == ["a", "c", "f", "h"]
    assert spread(["a"], 4) == ["a"]
    monkeypatch.setattr(material, "MOST_FILES", 10)
    assert open_files(str(photos), (48, 40)).images == 10


def test_what_holds_no_files_is_refused(photos: Path, shards: Path, tmp_path: Path) -> None:
    prepare(str(photos), str(tmp_path / "tars"), size="32", format="webdataset")
    with pytest.raises(UsageError, match="lie within larger files"):
        open_files(str(min((tmp_path / "tars").glob("*.tar"))), (32, 32))
    (tmp_path / "list.csv").write_text("url\ngs://bucket/a.jpg\n")
    with pytest.raises(UsageError, match=r"several stores, such as gs://bucket/a\.jpg"):
        open_files(str(tmp_path / "list.csv"), (32, 32))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no image"):
        open_files(str(tmp_path / "empty"), (32, 32))


def test_unfinished_and_damaged_sets_are_refused(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "x-00000-of-00001.tfrecord").write_bytes(b"nothing that was ever a record")
    with pytest.raises(UsageError, match="is damaged"):
        open_shards(str(tmp_path))
    (tmp_path / "_plan").mkdir()
    with pytest.raises(DamageError, match="prepare"):
        open_shards(str(tmp_path))
