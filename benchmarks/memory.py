"""Peak memory: of the processes of a run on large images, and of planning lists of two sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from jobs import Job
from timing import run_job

_LISTS: Final = (500_000, 5_000_000)
_BATCH: Final = 100_000
_FILES: Final = 1000
_CLASSES: Final = 1000

# `ru_maxrss` of a child begins at what its parent had in memory when it was started: hence a small process between.
_LAUNCHER: Final = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
if done.returncode:
    sys.exit(done.stderr.decode(errors="replace"))
seconds = time.perf_counter() - started
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024]))
"""


@dataclass(frozen=True, slots=True)
class RunMemory:
    """Peak resident memory of a run, sampled every 20 ms, in bytes."""

    images: int
    parent: int
    largest_worker: int
    workers: int
    """How many there were."""


@dataclass(frozen=True, slots=True)
class PlanMemory:
    """`shardmill prepare LIST DEST --dry-run` in a fresh process."""

    rows: int
    seconds: float
    peak_bytes: int


def run_memory(job: Job, images: int) -> RunMemory:
    """Run the native contender and watch it and its children."""
    peaks: dict[int, int] = defaultdict(int)

    def watch(process: subprocess.Popen[bytes]) -> None:
        for one in _family(process.pid):
            try:
                peaks[one.pid] = max(peaks[one.pid], one.memory_info().rss)
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue  # it has ended since

    timing = run_job("native", 0, job, images, watch)
    parent, *workers = (peaks[pid] for pid in sorted(peaks))
    return RunMemory(timing.images, parent, max(workers), len(workers))


def _family(pid: int) -> Iterator[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        yield parent
        yield from parent.children(recursive=True)
    except psutil.NoSuchProcess:
        return


def plan_memory(originals: list[Path], folder: Path) -> list[PlanMemory]:
    """One measurement a size, of lists in `folder` whose names are all different and all lead to one of `originals`."""
    files = folder / "files"
    files.mkdir(parents=True)
    for number in range(_FILES):
        os.link(originals[number % len(originals)], files / f"{number:03d}.jpg")
    for number in range(max(_LISTS) // _FILES):
        (folder / f"{number:05d}").symlink_to(files.name)
    found = []
    for rows in _LISTS:
        path = folder / f"list-{rows}.parquet"
        _write_list(path, rows)
        shardmill = [sys.executable, "-m", "shardmill", "prepare", str(path), str(folder / "nowhere")]
        command = [sys.executable, "-S", "-E", "-c", _LAUNCHER, *shardmill, "--samples-per-shard", "1000", "--dry-run"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        seconds, peak = json.loads(done.stdout)
        found.append(PlanMemory(rows, seconds, peak))
        path.unlink()
    return found


def _write_list(path: Path, rows: int) -> None:
    schema = pa.schema([("path", pa.string()), ("label", pa.string())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, rows, _BATCH):
            numbers = range(start, min(start + _BATCH, rows))
            paths = [f"{number // _FILES:05d}/{number % _FILES:03d}.jpg" for number in numbers]
            labels = [f"class {number * 7919 % _CLASSES}" for number in numbers]
            writer.write_table(pa.table({"path": paths, "label": labels}, schema=schema))
