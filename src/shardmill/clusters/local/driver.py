"""Running one application on a local cluster: spark-submit on a leash."""

from __future__ import annotations

import codecs
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import psutil
import pyspark

from shardmill.clusters.base import Job, JobOutcome, JobState
from shardmill.clusters.jobs import Answer, command_app, job_arguments, read_answer
from shardmill.clusters.local.folder import (
    ClusterFolder,
    ProcessMark,
    read_json,
    read_properties,
    write_json,
    write_properties,
)
from shardmill.clusters.local.leash import end_tree
from shardmill.errors import UsageError
from shardmill.java import find_java

_EVENT_LOG: Final = {
    "spark.eventLog.compress": "false",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.rolling.enabled": "false",  # one file
}
_POLL_S: Final = 0.2
_TAIL_CHARACTERS: Final = 4000


def run_driver(folder: ClusterFolder, master: str, job: Job, on_output: Callable[[str], None]) -> JobOutcome:
    """Run `job` until it has ended; ends it when left by an exception."""
    path = folder.jobs / job.id
    try:
        path.mkdir()
    except FileExistsError as error:
        known = read_json(path / "outcome.json")
        if known:
            return JobOutcome(**known)
        raise UsageError(f"job {job.id} runs already on {folder.path.name}; wait for it or cancel it.") from error
    (path / "events").mkdir()
    settings = read_properties(folder.settings) | dict(job.settings) | _EVENT_LOG
    settings["spark.eventLog.dir"] = (path / "events").as_uri()
    write_properties(path / "application.conf", settings)
    started_at = time.time()
    code, tail, cancelled = _run(_command(master, path, job), path, job.timeout_s, on_output)
    finished_at = time.time()
    (path / "application.conf").unlink(missing_ok=True)
    answer = read_answer(str(path)) if job.app is None else Answer()
    state: JobState = "cancelled" if cancelled else "done" if code == 0 else "failed"
    if state != "done" and folder.supervisor() is None:
        state = "lost"
    event_log = next(iter((path / "events").iterdir()), None)
    outcome = JobOutcome(
        job=job.id,
        state=state,
        exit_code=code,
        started_at=started_at,
        finished_at=finished_at,
        result=answer.result,
        error="" if state == "done" else answer.error or tail.strip() or f"the driver ended with exit code {code}",
        event_log=None if event_log is None else str(event_log),
    )
    write_json(path / "outcome.json", asdict(outcome))
    return outcome


def _command(master: str, path: Path, job: Job) -> list[str]:
    submit = [str(Path(pyspark.__file__).parent / "bin" / "spark-submit"), "--master", master]
    submit += ["--properties-file", str(path / "application.conf")]
    if job.py_files:
        submit += ["--py-files", ",".join(job.py_files)]
    app = [job.app, *job.words] if job.app is not None else [str(command_app()), *job_arguments(str(path), job.words)]
    return [sys.executable, "-m", "shardmill.clusters.local.leash", *submit, *app]


def _run(
    command: list[str], path: Path, timeout_s: float | None, on_output: Callable[[str], None]
) -> tuple[int, str, bool]:
    """Exit code, the end of what it printed, and whether it was ended before it did."""
    environment = {
        **os.environ,
        "JAVA_HOME": str(find_java(pyspark.__version__).home),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONUNBUFFERED": "1",
    }
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    tail, cancelled = "", False
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            write_json(path / "leash.json", asdict(ProcessMark.of(process.pid)))
            while True:
                if selector.select(_POLL_S):
                    piece = os.read(process.stdout.fileno(), 1 << 16)
                    if not piece:
                        break
                    text = decoder.decode(piece)
                    tail = (tail + text)[-_TAIL_CHARACTERS:]
                    on_output(text)
                if deadline is not None and time.monotonic() > deadline and not cancelled:
                    cancelled = True
                    process.stdin.close()
        code = process.wait()
        return code, tail, cancelled or code in (128 + 15, -15)
    finally:
        if not process.stdin.closed:
            process.stdin.close()
        if process.poll() is None:
            end_tree([psutil.Process(process.pid)])
            process.wait()
        process.stdout.close()
