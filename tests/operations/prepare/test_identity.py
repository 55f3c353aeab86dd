"""Promise 2: the bytes depend on the images and the spec alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from shardmill.operations.prepare.run import prepare
from tests.outputs import contents, manifest
from tests.pictures import class_folder

OPTIONS: dict[str, Any] = {"size": "48", "splits": "train=0.7,val=0.3", "num_shards": "5", "max_errors": "50%"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("source"), 60, odd=True)


@pytest.fixture(scope="module")
def reference(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    dest = tmp_path_factory.mktemp("reference")
    prepare(str(source), str(dest), workers=1, **OPTIONS)
    return contents(dest)


@pytest.mark.oldest
@pytest.mark.parametrize("workers", [2, 5])
def test_number_of_workers(workers: int, source: Path, reference: dict[str, str], tmp_path: Path) -> None:
    prepare(str(source), str(tmp_path), workers=workers, **OPTIONS)
    assert contents(tmp_path) == reference


def test_place_and_time_of_the_source(source: Path, reference: dict[str, str], tmp_path: Path) -> None:
    moved = shutil.copytree(source, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    prepare(str(moved), str(tmp_path / "out"), **OPTIONS)
    assert contents(tmp_path / "out") == reference


def test_seed_changes_the_order_but_not_the_splits(source: Path, reference: dict[str, str], tmp_path: Path) -> None:
    prepare(str(source), str(tmp_path), seed=1, **OPTIONS)
    other = contents(tmp_path)
    shards = [name for name in reference if name.endswith(".tfrecord")]
    assert all(other[name] != reference[name] for name in shards)
    assert manifest(tmp_path)["data"]["splits"].keys() == {"train", "val"}


def test_added_images_move_no_other(source: Path, tmp_path: Path) -> None:
    from tests.outputs import samples

    grown = shutil.copytree(source, tmp_path / "grown")
    class_folder(grown, 90)
    for name, folder in (("before", source), ("after", grown)):
        prepare(str(folder), str(tmp_path / name), **OPTIONS)
    before = {row["key"]: row["split"] for row in samples(tmp_path / "before")}
    after = {row["key"]: row["split"] for row in samples(tmp_path / "after")}
    assert len(after) == len(before) + 30
    assert before.items() <= after.items()


@pytest.mark.spark
@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("partitions", [1, 7])
def test_spark_and_its_partitions(partitions: int, source: Path, reference: dict[str, str], tmp_path: Path) -> None:
    prepare(str(source), str(tmp_path), engine="spark", master="local[2]", partitions=partitions, **OPTIONS)
    assert contents(tmp_path) == reference
    assert manifest(tmp_path)["run"]["engine"] == "spark"
