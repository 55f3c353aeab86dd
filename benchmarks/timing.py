"""One job in a fresh process, timed from outside: shards are seen to get their final names, whoever writes them.

Definitions, the same for all. The first shards to be finished, as many as there are cores, are the warm-up.

    steady     images of all other shards, by the time from when the warm-up was finished until the last shard was
    finish     from when the last shard was finished until the process has ended
    start-up   what is left of the job: job = start-up + images / steady + finish
    job        from starting the process until it has ended
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contenders import CONTENDERS
from jobs import Job, WrongResultError, check_shards

from shardmill.plan.cut import shard_rows

_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Timing:
    """One run of one contender. Rates are in images per second."""

    contender: str
    round: int
    images: int
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
    finished_s: dict[str, float] = {}
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
            _note_finished(job.dest, finished_s, time.perf_counter() - started)
            if watch is not None:
                watch(process)
            time.sleep(_POLL_S)
        job_s = time.perf_counter() - started
        _note_finished(job.dest, finished_s, job_s)
        if process.returncode != 0:
            log.seek(0)
            said = log.read()[-3000:].decode(errors="replace")
            raise WrongResultError(f"{name} ended with exit code {process.returncode}:\n{said}")
    check_shards(job.dest, images, job.shards)
    rest = images - sum(shard_rows(images, job.shards)[: job.cores])
    times = sorted(finished_s.values())
    steady_rate = rest / max(times[-1] - times[job.cores - 1], _POLL_S)
    return Timing(
        contender=name,
        round=number,
        images=images,
        startup_s=times[-1] - images / steady_rate,
        steady_rate=steady_rate,
        finish_s=job_s - times[-1],
        job_s=job_s,
    )


def _note_finished(dest: Path, finished_s: dict[str, float], now_s: float) -> None:
    for path in dest.glob("*.tfrecord"):
        finished_s.setdefault(path.name, now_s)
