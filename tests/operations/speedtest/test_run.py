from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

import shardmill
from shardmill.errors import UsageError
from shardmill.operations.speedtest.run import speedtest
from shardmill.runs import open_run
from shardmill.speedtest.record import RESULTS, Measurement, read_measurements
from tests.speedtest.test_cache import on_a_disk

QUICK: dict[str, Any] = {
    "reader": "native",
    "batch_size": "2,5",
    "num_batches": "1,3",
    "parallel_reads": "2",
    "repetitions": 2,
    "min_seconds": 0.01,
}


def passes_of(rows: list[Measurement]) -> Counter[tuple[object, ...]]:
    """How often each combination was measured in each repetition."""
    return Counter((row.cell, row.repetition) for row in rows if not row.warm_up)


def test_every_combination_is_measured_as_often_as_asked(shards: Path, photos: Path, tmp_path: Path) -> None:
    result = speedtest(str(shards), files=[str(photos)], decode="both", out=str(tmp_path / "run"), **QUICK)
    rows = read_measurements(tmp_path / "run")
    assert len(passes_of(rows)) == 2 * 2 * 2 * 2 * 2  # sets, decode, batch sizes, numbers of batches, repetitions
    assert set(passes_of(rows).values()) == {1}
    assert result.passes == result.made == 32
    assert result.warm_ups == sum(row.warm_up for row in rows) == 4
    assert {row.format for row in rows} == {"tfrecord", "files"}
    assert open_run(tmp_path / "run").kind == "speedtest"
    for row in rows:
        assert row.images == row.repeats * row.batch_size * row.num_batches
        assert 0 < row.first_batch_s <= row.elapsed_s
        assert row.elapsed_s >= 0.01
        assert row.images_per_s == pytest.approx(row.images / row.elapsed_s)
        assert row.cpu_s > 0
        assert "shardmill" in json.loads(row.versions)


def test_the_same_request_measures_nothing_twice(shards: Path, tmp_path: Path) -> None:
    speedtest(str(shards), out=str(tmp_path / "run"), **QUICK)
    before = read_measurements(tmp_path / "run")
    again = speedtest(str(shards), out=str(tmp_path / "run"), **QUICK)
    assert again.made == 0
    assert read_measurements(tmp_path / "run") == before
    with pytest.raises(UsageError, match="asked with other repetitions"):
        speedtest(str(shards), out=str(tmp_path / "run"), **{**QUICK, "repetitions": 3})


def test_killed_midway_it_measures_only_what_is_missing(shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [f"--{name.replace('_', '-')}={value}" for name, value in {**QUICK, "min_seconds": 0.2}.items()]
    command = [sys.executable, "-m", "shardmill", "speedtest", str(shards), "--out", str(out), *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    family = psutil.Process(process.pid)
    deadline = time.monotonic() + 60
    while not (out / RESULTS).exists() or len(passes_of(read_measurements(out))) < 3:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children = family.children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive, "a reading process outlives its parent"
    kept = read_measurements(out)
    assert 3 <= len(passes_of(kept)) < 8
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    rows = read_measurements(out)
    assert rows[: len(kept)] == kept
    assert len(passes_of(rows)) == 8
    assert set(passes_of(rows).values()) == {1}
    assert f"{len(passes_of(kept))} of them kept from before" in done.stdout


def test_processes_that_read_at_the_same_time_are_a_factor(shards: Path, tmp_path: Path) -> None:
    options = {**QUICK, "batch_size": "2", "num_batches": "2", "concurrency": "1,3", "min_seconds": 0.1}
    result = speedtest(str(shards), out=str(tmp_path / "run"), **options)
    rows = [row for row in read_measurements(tmp_path / "run") if not row.warm_up]
    for repetition in range(2):
        together = [row for row in rows if (row.concurrency, row.repetition) == (3, repetition)]
        assert len({row.pid for row in together}) == 3
        latest_start = max(row.started_at for row in together)
        starts = [row.started_at for row in together]
        assert max(starts) == latest_start
        assert len([row for row in rows if (row.concurrency, row.repetition) == (1, repetition)]) == 1
    assert [summary.cell.concurrency for summary in result.cells] == [1, 3]
    assert [summary.passes for summary in result.cells] == [2, 2]


def test_a_cold_pass_that_was_warm_is_flagged(shards: Path, tmp_path: Path) -> None:
    """In memory nothing is ever cold, whatever is dropped: what is asked for cannot be had, and that is said."""
    in_memory = Path("/dev/shm") / f"shardmill-speedtest-{os.getpid()}"
    shutil.copytree(shards, in_memory)
    try:
        options = {**QUICK, "batch_size": "2", "num_batches": "2", "cache": "cold"}
        result = speedtest(str(in_memory), out=str(tmp_path / "run"), **options)
    finally:
        shutil.rmtree(in_memory)
    rows = read_measurements(tmp_path / "run")
    assert {(row.cache, row.cache_seen, row.as_asked) for row in rows} == {("cold", "warm", False)}
    assert [summary.not_as_asked for summary in result.cells] == [2]
    assert "2 asked cold were warm" in result.warnings[0]


def test_cold_passes_read_from_the_device_and_warm_ones_do_not(shards: Path, tmp_path: Path) -> None:
    options = {**QUICK, "batch_size": "2", "num_batches": "2", "cache": "both"}
    speedtest(str(shards), out=str(tmp_path / "run"), **options)
    rows = [row for row in read_measurements(tmp_path / "run") if not row.warm_up]
    warm, cold = ([row for row in rows if row.cache == cache] for cache in ("warm", "cold"))
    assert {row.cache_seen for row in warm} == {"warm"}
    if on_a_disk(tmp_path):
        assert {row.cache_seen for row in cold} == {"cold"}
        assert all(row.device_bytes >= row.bytes_read for row in cold)


def test_windows_larger_than_the_set_cannot_be_cold(shards: Path, tmp_path: Path) -> None:
    options = {**QUICK, "batch_size": "20", "num_batches": "4", "cache": "cold"}
    result = speedtest(str(shards), out=str(tmp_path / "run"), **options)
    assert any("windows of up to 80 images read some of the 30 of shards again" in text for text in result.warnings)


def test_raw_files_alone_can_be_measured(photos: Path, tmp_path: Path) -> None:
    result = speedtest(files=[str(photos)], size="32", out=str(tmp_path / "run"), **QUICK)
    assert {summary.cell.format for summary in result.cells} == {"files"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": "2,x"}, "--batch-size is '2,x'; it takes whole numbers with commas between, like 2,4,8"),
        ({"num_batches": "0,4"}, "each number is at least 1"),
        ({"parallel_reads": ""}, "--parallel-reads is ''"),
        ({"reader": "native,dali"}, "unknown reader 'dali'; choose one of: loader, native, tf.data"),
        ({"reader": "loader", "size": "20"}, "loader reads none of these; choose another --reader"),
        ({"repetitions": 0}, "--repetitions is 0"),
        ({"min_seconds": -1.0}, "--min-seconds is -1.0"),
        ({"master": "local[2]"}, "--master is for --engine spark"),
        ({"engine": "spark", "concurrency": "1,2"}, "--concurrency is for --engine local"),
        ({"size": "big"}, "--size big is not a size"),
        ({"files": ["nowhere"]}, "nowhere"),
    ],
)
def test_wrong_requests(shards: Path, tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        speedtest(str(shards), out=str(tmp_path / "run"), **{**QUICK, **options})
    assert not (tmp_path / "run" / RESULTS).exists()


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is nothing to read"):
        speedtest(out=str(tmp_path / "run"))
    (tmp_path / "text.csv").write_text("a,b\n")
    with pytest.raises(UsageError, match="holds no shard"):
        speedtest(str(tmp_path), out=str(tmp_path / "run"))


def test_averages_are_pickled_for_notebooks(shards: Path, tmp_path: Path) -> None:
    import pickle

    result = speedtest(str(shards), out=str(tmp_path / "run"), pickle=True, **QUICK)
    assert result.pickle is not None
    assert Path(result.pickle).name.startswith("average_performance_")
    averages = pickle.loads(Path(result.pickle).read_bytes())
    rows = [row for row in read_measurements(tmp_path / "run") if not row.warm_up and row.batch_size == 5]
    mean = sum(row.images_per_s for row in rows) / len(rows)
    assert averages["shards"]["native"]["batch_size"][5] == pytest.approx(mean)
    assert list(averages["shards"]["native"]["num_batches"]) == [1, 3]


def test_progress_is_told(shards: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    speedtest(
        str(shards), out=str(tmp_path / "run"), on_progress=lambda done, of, images: seen.append((done, of)), **QUICK
    )
    assert seen == [(done, 8) for done in range(9)]


def test_it_is_public() -> None:
    assert shardmill.speedtest is speedtest
