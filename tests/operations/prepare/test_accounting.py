"""Promise 1: every input is accounted for, and every failure names the input and the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shardmill.errors import TooManyFailuresError, UsageError
from shardmill.operations.prepare.run import prepare
from tests.outputs import manifest, outcomes, samples
from tests.pictures import ODD, class_folder, jpeg

EXPECTED_REASONS = {"ash/truncated.jpg": "truncated", "ash/empty.jpg": "empty", "birch/text.jpg": "not_an_image"}


@pytest.mark.oldest
def test_each_input_ends_as_a_row(tmp_path: Path) -> None:
    source = class_folder(tmp_path / "in", 30, odd=True)
    result = prepare(str(source), str(tmp_path / "out"), size="48", max_errors="3")
    assert (result.listed, result.written, result.failed, result.skipped) == (40, 37, 3, 0)
    status = outcomes(tmp_path / "out")
    assert {key: status[key] == "written" for key in ODD} == ODD
    failed = {row["key"]: row["reason"] for row in samples(tmp_path / "out") if row["status"] == "failed"}
    assert failed == EXPECTED_REASONS
    data = manifest(tmp_path / "out")["data"]
    assert data["totals"] == {"listed": 40, "written": 37, "skipped": 0, "failed": 3}
    assert data["reasons"] == {"empty": 1, "not_an_image": 1, "truncated": 1}
    assert data["conversions"]["cmyk"] == data["conversions"]["exif_orientation"] == 1
    assert data["duplicates"] == {"exact": 1, "across_splits": 0}
    assert (tmp_path / "out/_SUCCESS").exists()


def test_too_many_failures_leave_the_set_unfinished(tmp_path: Path) -> None:
    source = class_folder(tmp_path / "in", 30, odd=True)
    with pytest.raises(TooManyFailuresError, match=r"3 of 40 inputs failed.*--max-errors.*--retry-failed"):
        prepare(str(source), str(tmp_path / "out"), size="48", max_errors="2")
    assert not (tmp_path / "out/_SUCCESS").exists()
    accepted = prepare(str(source), str(tmp_path / "out"), size="48", max_errors="3")
    assert accepted.resumed_shards == accepted.shards
    assert (tmp_path / "out/_SUCCESS").exists()


def test_mended_inputs_are_retried(tmp_path: Path) -> None:
    source = class_folder(tmp_path / "in", 30, odd=True)
    options: dict[str, Any] = {"size": "48", "num_shards": "6", "max_errors": "3"}
    prepare(str(source), str(tmp_path / "out"), **options)
    untouched = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.tfrecord")}
    (source / "ash/truncated.jpg").write_bytes(jpeg(7))
    result = prepare(str(source), str(tmp_path / "out"), retry_failed=True, **options)
    assert (result.written, result.failed) == (38, 2)
    assert outcomes(tmp_path / "out")["ash/truncated.jpg"] == "written"
    kept = {
        path.name for path in (tmp_path / "out").glob("*.tfrecord") if path.stat().st_mtime_ns == untouched[path.name]
    }
    assert 0 < len(kept) < 6, "only the shards with failures are made again"


def test_on_error_fail_names_the_first(tmp_path: Path) -> None:
    source = class_folder(tmp_path / "in", 6)
    (source / "ash/bad.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(TooManyFailuresError, match=r"ash/bad\.jpg"):
        prepare(str(source), str(tmp_path / "out"), on_error="fail")
    assert not (tmp_path / "out/_SUCCESS").exists()


def test_drop_duplicates_keeps_one(tmp_path: Path) -> None:
    source = class_folder(tmp_path / "in", 6)
    for name in ("birch/again.jpg", "cedar/again.jpg"):
        (source / name).write_bytes((source / "ash/0000.jpg").read_bytes())
    result = prepare(str(source), str(tmp_path / "out"), drop_duplicates=True)
    assert (result.written, result.skipped) == (6, 2)
    rows = {row["key"]: row["error"] for row in samples(tmp_path / "out") if row["status"] == "skipped"}
    assert rows == {
        "birch/again.jpg": "has the same bytes as ash/0000.jpg",
        "cedar/again.jpg": "has the same bytes as ash/0000.jpg",
    }
    assert result.duplicates == {"exact": 0, "across_splits": 0}
    assert not list((tmp_path / "out/_plan").glob("hash-*"))


def test_repeated_keys_are_numbered_and_stay_on_one_side(tmp_path: Path) -> None:
    class_folder(tmp_path, 12)
    lines = [f"ash/{number:04d}.jpg,ash" for number in (0, 3, 6, 9)] * 5
    (tmp_path / "list.csv").write_text("file_name,label\n" + "\n".join(lines))
    prepare(str(tmp_path / "list.csv"), str(tmp_path / "out"), splits="a=0.5,b=0.5")
    rows = samples(tmp_path / "out")
    assert {row["key"] for row in rows} == {
        f"ash/{number:04d}.jpg{suffix}" for number in (0, 3, 6, 9) for suffix in ("", "~2", "~3", "~4", "~5")
    }
    sides = {(row["key"].partition("~")[0], row["split"]) for row in rows}
    assert len(sides) == 4


def test_events_tell_what_happens(tmp_path: Path) -> None:
    source = class_folder(tmp_path / "in", 12)
    prepare(str(source), str(tmp_path / "out"), num_shards="3", events=str(tmp_path / "events.jsonl"))
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events if event["event"] not in ("progress", "listing")] == [
        "planned",
        "shard",
        "shard",
        "shard",
        "finishing",
        "finished",
    ]
    assert sum(event["written"] for event in events if event["event"] == "shard") == 12


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    source = class_folder(tmp_path / "in", 12, odd=True)
    result = prepare(str(source), str(tmp_path / "out"), dry_run=True, splits="train=0.5,val=0.5")
    assert not (tmp_path / "out").exists()
    assert (result.listed, result.classes) == (22, 3)
    assert result.draft is not None
    assert result.draft["sampled_images"] == 19
    done = prepare(str(source), str(tmp_path / "out"), splits="train=0.5,val=0.5", max_errors="50%")
    assert done.shards == result.shards
    assert 0.8 < result.bytes / done.bytes < 1.25


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(UsageError, match=r"no images found in .*1 other files \(1 \.txt\)"):
        prepare(str(tmp_path), str(tmp_path / "out"))
