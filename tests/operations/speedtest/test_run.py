from __future__ import annotations

import json
import os
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
