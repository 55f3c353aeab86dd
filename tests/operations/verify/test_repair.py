"""Repair keeps what is good, says what is lost, and leaves a set that verifies and that `prepare` can complete."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg

from shardmill.dataset import Dataset
from shardmill.operations.prepare.run import prepare
from shardmill.operations.verify.result import Repair
from shardmill.operations.verify.run import verify
from tests.operations.verify.conftest import FIRST, SECOND, DataSet
from tests.outputs import contents


def test_good_records_are_kept_and_lost_ones_can_be_made_again(data_set: DataSet, pristine: Path) -> None:
    places = data_set.places()
    data_set.flip(places[1].offset + 70)
    data_set.flip(places[3].offset)
    data_set.file().write_bytes(data_set.file().read_bytes()[: places[-1].offset + 5])
    result = verify(data_set.dest, repair=True)
    assert result.ok
    assert result.repairs == (Repair(FIRST, "salvaged", len(places) - 3, 3, FIRST),)

    rows = pq.read_table(data_set.file("_samples/part-00000.parquet")).to_pylist()
    lost = [(row["reason"], row["index"], row["offset"]) for row in rows if row["status"] == "lost"]
    assert sorted(lost) == [("data_crc", None, None), ("length_crc", None, None), ("truncated", None, None)]
    assert [row["index"] for row in rows if row["status"] == "written"] == list(range(len(places) - 3))
    data = data_set.manifest()["data"]
    assert data["shards"][0]["repaired"] is True
    assert data["totals"] == {"listed": 25, "written": 21, "skipped": 0, "failed": 1, "lost": 3}
    assert sum(entry["count"] for entry in data["classes"]) == 21

    source = pristine.parent / "images"
    prepare(str(source), data_set.dest, size="32", num_shards="3", workers=1, max_errors="1", retry_failed=True)
    assert contents(data_set.path) == contents(pristine)


def test_means_are_of_the_images_that_are_left(data_set: DataSet) -> None:
    before = data_set.manifest()["data"]["channels"]
    places = data_set.places()
    data_set.flip(places[1].offset + 70)
    assert verify(data_set.dest, repair=True).ok
    after = data_set.manifest()["data"]["channels"]
    repaired = Dataset.open(data_set.dest)
    images = [
        record[1].image for shard in repaired.shards for record in repaired.records(shard) if isinstance(record, tuple)
    ]
    left = [simplejpeg.decode_jpeg(image)[::4, ::4].reshape(-1, 3) / 255 for image in images]
    pixels = np.concatenate(left)
    assert after["pixels"] == len(pixels) < before["pixels"]
    assert after["mean"] == pytest.approx(
        pixels.mean(axis=0), abs=0.005
    )  # those of whole shards are from before encoding
    assert after["std"] == pytest.approx(pixels.std(axis=0), abs=0.005)


def test_swapped_records_go_back_to_their_places(data_set: DataSet) -> None:
    before = contents(data_set.path)
    first, second = data_set.places()[1:3]
    content = data_set.file().read_bytes()
    one, two = (content[place.offset : place.offset + place.length] for place in (first, second))
    data_set.file().write_bytes(content[: first.offset] + two + one + content[second.offset + second.length :])
    result = verify(data_set.dest, repair=True)
    assert result.ok
    assert result.repairs[0].lost == 0
    shards = {name for name in before if name.startswith("train")}
    assert {name: digest for name, digest in contents(data_set.path).items() if name in shards} == {
        name: before[name] for name in shards
    }


@pytest.mark.parametrize("damage", ["gone", "wrong", "empty"])
def test_an_index_alone_is_written_anew(data_set: DataSet, damage: str) -> None:
    before = contents(data_set.path)
    index = data_set.file(f"{FIRST}.idx")
    if damage == "gone":
        index.unlink()
    else:
        index.write_text("1 2\n" if damage == "wrong" else "")
    result = verify(data_set.dest, repair=True)
    assert result.ok
    assert [(repair.file, repair.action, repair.lost) for repair in result.repairs] == [(index.name, "index", 0)]
    assert contents(data_set.path) == before


def test_a_shard_that_is_gone_leaves_an_empty_one(data_set: DataSet) -> None:
    count = len(data_set.places(SECOND))
    data_set.file(SECOND).unlink()
    result = verify(data_set.dest, repair=True)
    assert result.ok
    assert result.repairs == (Repair(SECOND, "salvaged", 0, count, SECOND),)
    rows = pq.read_table(data_set.file("_samples/part-00001.parquet")).to_pylist()
    assert Counter(row["reason"] for row in rows if row["status"] == "lost") == {"missing_shard": count}
    assert data_set.file(SECOND).stat().st_size == 0


def test_counts_and_labels_follow_the_tables(data_set: DataSet) -> None:
    before = contents(data_set.path)
    data_set.file("labels.txt").unlink()
    manifest = data_set.file("_manifest.json")
    manifest.write_text(manifest.read_text().replace('"written": 24', '"written": 23'))
    assert not verify(data_set.dest, quick=True).ok
    assert verify(data_set.dest, repair=True).ok
    assert contents(data_set.path) == before


def test_what_no_repair_can_mend_stays_found(data_set: DataSet) -> None:
    table = data_set.file("_samples/part-00000.parquet")
    table.unlink()
    data_set.flip(data_set.places()[1].offset + 70)
    before = data_set.file().read_bytes()
    result = verify(data_set.dest, repair=True)
    assert [finding.kind for finding in result.findings] == ["missing_samples", "data_crc"]
    assert result.repairs == ()
    assert data_set.file().read_bytes() == before
