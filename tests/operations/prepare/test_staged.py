"""Parquet of image bytes: copied while listed, and again where a shard must be made anew."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shardmill.operations.prepare.run import prepare
from tests.outputs import contents, manifest, samples
from tests.pictures import jpeg


@pytest.fixture
def source(tmp_path: Path) -> Path:
    whole = [jpeg(seed) for seed in range(20)]
    whole[7] = whole[7][: len(whole[7]) // 2]
    images = [{"bytes": data, "path": f"{number:03d}.jpg"} for number, data in enumerate(whole)]
    table = pa.table({"image": images, "label": [number % 3 for number in range(20)]})
    pq.write_table(table, tmp_path / "train.parquet", row_group_size=6)
    return tmp_path / "train.parquet"


def test_copies_go_and_a_damaged_shard_comes_back(source: Path, tmp_path: Path) -> None:
    dest = tmp_path / "out"
    result = prepare(str(source), str(dest), num_shards="4", max_errors="1")
    assert (result.written, result.failed) == (19, 1)
    assert not list((dest / "_plan").glob("staged-*"))
    assert [entry["count"] for entry in manifest(dest)["data"]["classes"]] == [7, 6, 6]
    calm = contents(dest)
    (dest / "train-00002-of-00004.tfrecord").write_bytes(b"")
    again = prepare(str(source), str(dest), num_shards="4", max_errors="1")
    assert again.resumed_shards == 3
    assert contents(dest) == calm


def test_a_retry_judges_the_same_bytes(source: Path, tmp_path: Path) -> None:
    dest = tmp_path / "out"
    prepare(str(source), str(dest), num_shards="4", max_errors="1")
    calm = contents(dest)
    prepare(str(source), str(dest), num_shards="4", max_errors="1", retry_failed=True)
    assert contents(dest) == calm
    assert [row["reason"] for row in samples(dest) if row["status"] == "failed"] == ["truncated"]
