"""One job in a fresh process, timed from outside: the folder it writes to is watched, whoever writes.

Definitions, the same for all:

    start-up   from starting the process until the first bytes of a shard are on disk
    steady     images per second from then on when a tenth of the bytes are on disk until all are, each image counted
               by its share of the bytes
    finish     from the last byte of a shard until the process has ended
    job        from starting the process until it has ended
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contenders import CONTENDERS
from jobs import Job, WrongResultError, check_shards

_POLL_S: Final = 0.02
_OPENS_AT: Final = 0.1


@dataclass(frozen=True, slots=True)
class Timing:
    """One run of one contender. Rates are in images per second."""

    contender: str
    round: int
    images: int
    shard_bytes: int
    startup_s: float
    steady_rate: float
    finish_s: float
    job_s: float

    @property
    def job_rate(self) -> float:
        return self.images / self.job_s


def run_job(
    name: str, number: int, job: Job, images: int, watch: Callable[[subprocess.Popen[bytes]], None] | None = None
) -> Timing:
    """Run contender `name` in a fresh process and check what it wrote.

    Args:
        watch: called with the process every 20 ms.

    Raises:
        WrongResultError: it failed, or its shards are not what was asked for.
    """
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "PYTHONPATH": str(here),  # for Spark's Python workers
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **CONTENDERS[name].environment,
    }
    os.sync()  # nobody pays for what the one before left to be written
    curve: list[tuple[float, dict[int, int]]] = []
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, str(here / "contenders.py"), name, *job.words()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        while process.poll() is None:
            curve.append((time.perf_counter() - started, _sizes(job.dest)))
            if watch is not None:
                watch(process)
            time.sleep(_POLL_S)
        ended = time.perf_counter() - started
        if process.returncode != 0:
            log.seek(0)
            said = log.read()[-3000:].decode(errors="replace")
            raise WrongResultError(f"{name} ended with exit code {process.returncode}:\n{said}")
    check_shards(job.dest, images, job.shards)
    curve.append((ended, _sizes(job.dest)))
    return _timing(name, number, job, images, curve)


def _timing(name: str, number: int, job: Job, images: int, curve: list[tuple[float, dict[int, int]]]) -> Timing:
    # What a file is called while it is written is its writer's business: the inode says which became a shard.
    shards = {path.stat().st_ino for path in job.dest.glob("*.tfrecord")}
    times = [at for at, _ in curve]
    on_disk: list[int] = []
    for _, sizes in curve:
        seen = sum(size for inode, size in sizes.items() if inode in shards)
        on_disk.append(max(seen, on_disk[-1] if on_disk else 0))  # a file may be missed while it is renamed
    total = on_disk[-1]
    first, opening, last = (bisect_left(on_disk, level) for level in (1, _OPENS_AT * total, total))
    return Timing(
        contender=name,
        round=number,
        images=images,
        shard_bytes=total,
        startup_s=times[first],
        steady_rate=images * (1 - on_disk[opening] / total) / max(times[last] - times[opening], _POLL_S),
        finish_s=times[-1] - times[last],
        job_s=times[-1],
    )


def _sizes(folder: Path) -> dict[int, int]:
    """Inode and size of each file in `folder` and the folders in it."""
    sizes: dict[int, int] = {}
    pending = [str(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        sizes[entry.inode()] = entry.stat().st_size
        except FileNotFoundError:
            continue  # renamed or removed meanwhile; the next look sees it
    return sizes
