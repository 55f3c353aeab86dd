"""Running one job: handing it over, passing its output on as it comes, telling how it ended."""

from __future__ import annotations

import codecs
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shardmill.clusters.base import Cluster, Job, JobOutcome, JobState
from shardmill.clusters.dataproc.host_usage import jobs_folder, sampling_settings
from shardmill.clusters.dataproc.message import state_of
from shardmill.clusters.dataproc.service import DataprocService, waits
from shardmill.clusters.jobs import Answer, command_app, job_arguments, read_answer
from shardmill.errors import ClusterError, ResumableError, UsageError
from shardmill.storage.base import Store
from shardmill.storage.open import open_store, scheme_of
from shardmill.storage.settings import StorageSettings

_STATES: Final[dict[str, JobState]] = {"DONE": "done", "ERROR": "failed", "CANCELLED": "cancelled"}
_EVENTS: Final = "events"
_KEPT: Final = ".folder"
"""An object that makes a folder of a prefix: Spark refuses to log into one that is not there."""
_CANCEL_TIMEOUT_S: Final = 300.0
_LOOK_AT_CLUSTER_S: Final = 10.0
_TAIL_CHARACTERS: Final = 4000


def job_id(cluster: Cluster, job: str) -> str:
    """Dataproc's own name of a job, which no other in the project has: at most 73 characters."""
    return f"{job}-{hashlib.sha256(cluster.facts['uuid'].encode()).hexdigest()[:12]}"


def run_job(service: DataprocService, cluster: Cluster, job: Job, on_output: Callable[[str], None]) -> JobOutcome:
    """Submit `job` and follow it to its end; cancel it when left by an exception."""
    number, folder = job_id(cluster, job.id), f"{jobs_folder(service.config, cluster)}/{job.id}"
    settings = StorageSettings(timeout_s=service.patience_s)
    store = open_store(folder, settings)
    service.submit_job(_message(cluster, job, number, folder, store), cluster.name)
    try:
        ended = _follow(service, cluster, number, job.timeout_s, _Output(on_output, settings))
    except (ClusterError, ResumableError):
        raise  # the network is away: asking to cancel would only wait for it again
    except BaseException:
        service.cancel_job(number, cluster.name)
        raise
    return _outcome(job, ended, folder, store)


@dataclass(frozen=True, slots=True)
class _Ended:
    """How the service says a job ended."""

    message: Any
    state: JobState
    tail: str
    """The end of what the driver printed."""
    details: str


def _message(cluster: Cluster, job: Job, number: str, folder: str, store: Store) -> dict[str, Any]:
    _put(store, f"{_EVENTS}/{_KEPT}", b"")
    app = str(command_app()) if job.app is None else job.app
    return {
        "reference": {"job_id": number},
        "placement": {"cluster_name": cluster.name},
        "labels": {"made-by": "shardmill"},
        "pyspark_job": {
            "main_python_file_uri": _reachable(app, folder, store),
            "args": job_arguments(folder, job.words) if job.app is None else list(job.words),
            "python_file_uris": [_reachable(path, folder, store) for path in job.py_files],
            "properties": {
                **sampling_settings(folder),
                **job.settings,
                "spark.eventLog.enabled": "true",
                "spark.eventLog.dir": f"{folder}/{_EVENTS}",
                "spark.eventLog.compress": "false",
                "spark.eventLog.rolling.enabled": "false",  # one file
            },
        },
    }


def _reachable(path: str, folder: str, store: Store) -> str:
    """A URL for a file: its own, or of a copy in the job's folder."""
    if scheme_of(path):
        return path
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    _put(store, Path(path).name, content)
    return f"{folder}/{Path(path).name}"


def _put(store: Store, name: str, content: bytes) -> None:
    with store.publish(name) as file:
        file.write(content)


def _follow(
    service: DataprocService, cluster: Cluster, number: str, timeout_s: float | None, output: _Output
) -> _Ended:
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    cancelled_at: float | None = None
    look_at = time.monotonic() + _LOOK_AT_CLUSTER_S
    for wait_s in waits(most_s=2.0):
        message = service.get_job(number, cluster.name)
        output.read(message.driver_output_resource_uri)
        state, now = message.status.state.name, time.monotonic()
        if state in _STATES:
            lost = state != "DONE" and not _alive(service, cluster)
            return _Ended(message, "lost" if lost else _STATES[state], output.end(), message.status.details)
        if now > look_at:
            if not _alive(service, cluster):
                return _Ended(message, "lost", output.end(), f"cluster {cluster.name} went away")
            look_at = now + _LOOK_AT_CLUSTER_S
        if deadline is not None and now > deadline and cancelled_at is None:
            service.cancel_job(number, cluster.name)
            cancelled_at = now
        if cancelled_at is not None and now > cancelled_at + _CANCEL_TIMEOUT_S:
            return _Ended(
                message, "lost", output.end(), f"it did not end in {_CANCEL_TIMEOUT_S:.0f} s after its cancelling"
            )
        time.sleep(wait_s)
    raise AssertionError("unreachable: the waits do not end")


def _alive(service: DataprocService, cluster: Cluster) -> bool:
    message = service.find_cluster(cluster.name)
    return message is not None and message.cluster_uuid == cluster.facts["uuid"] and state_of(message) == "ready"


def _outcome(job: Job, ended: _Ended, folder: str, store: Store) -> JobOutcome:
    answer = read_answer(folder) if job.app is None else Answer()
    statuses = [*ended.message.status_history, ended.message.status]
    starts = [(status.state.name, status.state_start_time.timestamp()) for status in statuses]
    last = starts[-1][1] if starts[-1][0] in _STATES else time.time()
    started_at = min((moment for state, moment in starts if state == "RUNNING"), default=last)
    reason = answer.error or ended.tail.strip() or ended.details or "the driver said nothing"
    event_log = next((entry.path for entry in store.list(_EVENTS) if not entry.path.endswith(_KEPT)), None)
    return JobOutcome(
        job=job.id,
        state=ended.state,
        exit_code=0 if ended.state == "done" else answer.exit_code,
        started_at=started_at,
        finished_at=last,
        result=answer.result,
        error="" if ended.state == "done" else ended.details if ended.state == "lost" else reason,
        event_log=None if event_log is None else f"{folder}/{event_log}",
    )


class _Output:
    """The driver's output, in objects `PREFIX.000000000`, `PREFIX.000000001` ..., of which the last one grows."""

    def __init__(self, on_output: Callable[[str], None], settings: StorageSettings) -> None:
        self._settings = settings
        self._on_output, self._part, self._read = on_output, 0, 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._tail = ""

    def read(self, uri: str) -> None:
        """Pass on what is new."""
        if not uri:
            return
        folder, _, prefix = uri.rpartition("/")
        store = open_store(folder, self._settings)
        while self._grown(store, f"{prefix}.{self._part:09d}"):
            if store.size(f"{prefix}.{self._part + 1:09d}") is None:
                return
            self._grown(store, f"{prefix}.{self._part:09d}")  # its end may have come before the next part did
            self._part, self._read = self._part + 1, 0

    def _grown(self, store: Store, name: str) -> bool:
        """Pass on what is new in one part; False where it is not there."""
        size = store.size(name)
        if size is None:
            return False
        if size > self._read:
            content = store.read(name, self._read, size - self._read)
            self._read += len(content)
            self._say(self._decoder.decode(content))
        return True

    def end(self) -> str:
        """What was said last."""
        self._say(self._decoder.decode(b"", final=True))
        return self._tail

    def _say(self, text: str) -> None:
        if text:
            self._tail = (self._tail + text)[-_TAIL_CHARACTERS:]
            self._on_output(text)
