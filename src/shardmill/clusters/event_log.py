"""What Spark's event log tells of a job: its executors, and when each task ran where.

Format: JSON lines as `org.apache.spark.scheduler.EventLoggingListener` of Spark 3.5 and 4 writes them, in one file or in a
folder of rolled files; uncompressed, as our providers set it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from shardmill.errors import ClusterError
from shardmill.storage.base import UnreadableError
from shardmill.storage.open import open_store

_TASK_END: Final = "SparkListenerTaskEnd"
_EXECUTOR_ADDED: Final = "SparkListenerExecutorAdded"
_WANTED: Final = (f'"{_TASK_END}"', f'"{_EXECUTOR_ADDED}"')


@dataclass(frozen=True, slots=True)
class Executor:
    """One executor."""

    id: str
    host: str
    cores: int
    added_at: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt of one task. Times are seconds since the epoch, on the driver's clock; durations are seconds."""

    stage: int
    index: int
    """Of the partition within the stage."""
    attempt: int
    executor: str
    host: str
    launched_at: float
    finished_at: float
    run_s: float
    """In the executor, Python included; 0 for a task that was killed."""
    deserialize_s: float
    gc_s: float
    ok: bool
    speculative: bool

    @property
    def seconds(self) -> float:
        """From launch to the driver's hearing of the end."""
        return self.finished_at - self.launched_at

    @property
    def scheduler_delay_s(self) -> float:
        """Of `seconds`, what went into sending the task and its result about."""
        return max(self.seconds - self.run_s - self.deserialize_s, 0.0)


@dataclass(frozen=True, slots=True)
class EventLog:
    """The executors and the task attempts of one application, in the order in which they came and ended."""

    executors: tuple[Executor, ...]
    tasks: tuple[Task, ...]


def main_stage(log: EventLog) -> list[Task]:
    """All attempts of the stage whose tasks took the most time in all; none where no task ran."""
    stages: dict[int, list[Task]] = {}
    for task in log.tasks:
        stages.setdefault(task.stage, []).append(task)
    return max(stages.values(), key=lambda tasks: sum(task.seconds for task in tasks), default=[])


def first_to_end_well(attempts: Iterable[Task]) -> list[Task]:
    """Of the attempts of one stage, the one of each partition that counts, in the order of the partitions."""
    good: dict[int, Task] = {}
    for task in sorted(attempts, key=lambda task: task.finished_at):
        if task.ok:
            good.setdefault(task.index, task)
    return [good[index] for index in sorted(good)]


def read_event_log(location: str) -> EventLog:
    """The log at `location`: a file, or the folder of a rolled log, as a path or URL.

    Raises:
        ClusterError: it is no event log, or is compressed.
        ResumableError: the store does not answer.
    """
    executors: list[Executor] = []
    tasks: list[Task] = []
    for line in _lines(location):
        if not any(name in line[:60] for name in _WANTED):
            continue
        try:
            event = json.loads(line)
            if event["Event"] == _TASK_END:
                tasks.append(_task(event))
            else:
                info = event["Executor Info"]
                executors.append(
                    Executor(event["Executor ID"], info["Host"], info["Total Cores"], event["Timestamp"] / 1000)
                )
        except (ValueError, KeyError) as error:
            raise ClusterError(
                f"{location} has a line that is no Spark event ({error!r}); its job was measured by time alone."
            ) from error
    return EventLog(tuple(executors), tuple(tasks))


def _task(event: dict[str, Any]) -> Task:
    info, metrics = event["Task Info"], event.get("Task Metrics") or {}
    return Task(
        stage=event["Stage ID"],
        index=info["Index"],
        attempt=info["Attempt"],
        executor=info["Executor ID"],
        host=info["Host"],
        launched_at=info["Launch Time"] / 1000,
        finished_at=info["Finish Time"] / 1000,
        run_s=metrics.get("Executor Run Time", 0) / 1000,
        deserialize_s=metrics.get("Executor Deserialize Time", 0) / 1000,
        gc_s=metrics.get("JVM GC Time", 0) / 1000,
        ok=event["Task End Reason"]["Reason"] == "Success",
        speculative=info["Speculative"],
    )


def _lines(location: str) -> Iterator[str]:
    folder, _, name = location.rpartition("/")
    store, names = open_store(folder), [name]
    rolled = sorted(_rolled(location), key=lambda path: int(path.split("_")[1]))
    if rolled:
        store, names = open_store(location), rolled
    elif store.size(name) is None:
        raise ClusterError(f"there is no event log at {location}; its job was measured by time alone.")
    for each in names:
        with store.open(each) as file:
            try:
                for line in file:
                    yield line.decode()
            except UnicodeDecodeError as error:
                raise ClusterError(f"{location} is compressed; set spark.eventLog.compress to false.") from error


def _rolled(location: str) -> list[str]:
    """The files `events_1_ID`, `events_2_ID`, ... in a folder; none where it is a file."""
    try:
        return [entry.path for entry in open_store(location).list() if entry.path.startswith("events_")]
    except UnreadableError:
        return []
