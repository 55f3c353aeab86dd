from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from shardmill.dataset import Dataset
from shardmill.formats.base import Placement
from shardmill.formats.tfrecord import TFRecordFormat
from shardmill.operations.prepare.run import prepare
from shardmill.operations.verify.result import Finding
from shardmill.operations.verify.shard import ShardCheck, ShardReport, check_shard
from tests.pictures import class_folder

FIRST = "train-00000-of-00003.tfrecord"
SECOND = "train-00001-of-00003.tfrecord"


class DataSet:
    """A prepared data set on disk, to be damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dest = str(path)

    def file(self, name: str = FIRST) -> Path:
        return self.path / name

    def places(self, name: str = FIRST) -> list[Placement]:
        """Where the records of a shard lie, by its index."""
        placements = TFRecordFormat().parse_index((self.path / f"{name}.idx").read_bytes())
        assert isinstance(placements, list)
        return placements

    def flip(self, offset: int, name: str = FIRST) -> None:
        content = bytearray(self.file(name).read_bytes())
        content[offset] ^= 0x20
        self.file(name).write_bytes(content)

    def manifest(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.file("_manifest.json").read_text())
        return parsed

    def check(self, name: str = FIRST) -> ShardReport:
        """The deep check of one shard, in this process."""
        dataset = Dataset.open(self.dest)
        (shard,) = (shard for shard in dataset.shards if shard.name == name)
        return check_shard(
            ShardCheck(
                dataset.store, shard, dataset.shard_format, prepared=True, num_classes=len(dataset.labels), deep=True
            )
        )

    def found(self, name: str = FIRST) -> list[tuple[str, str, int | None]]:
        return told(self.check(name).findings)


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str, int | None]]:
    return [(finding.file, finding.kind, finding.record) for finding in findings]


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verify")
    source = class_folder(folder / "images", 24)
    (source / "ash" / "torn.jpg").write_bytes((source / "ash" / "0000.jpg").read_bytes()[:200])
    prepare(str(source), str(folder / "set"), size="32", num_shards="3", workers=1, max_errors="1")
    return folder / "set"


@pytest.fixture
def data_set(pristine: Path, tmp_path: Path) -> DataSet:
    shutil.copytree(pristine, tmp_path / "set")
    return DataSet(tmp_path / "set")
