from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shardmill.clusters.event_log import EventLog, Executor, Task, read_event_log
from shardmill.errors import ClusterError

ADDED = {
    "Event": "SparkListenerExecutorAdded",
    "Timestamp": 1000,
    "Executor ID": "0",
    "Executor Info": {"Host": "127.0.0.2", "Total Cores": 2, "Log Urls": {}},
}


def ended(index: int, reason: str = "Success") -> dict[str, Any]:
    info = {"Index": index, "Attempt": 0, "Executor ID": "0", "Host": "127.0.0.2", "Speculative": False}
    metrics = {"Executor Run Time": 1500, "Executor Deserialize Time": 200, "JVM GC Time": 10}
    return {
        "Event": "SparkListenerTaskEnd",
        "Stage ID": 3,
        "Task End Reason": {"Reason": reason},
        "Task Info": {**info, "Launch Time": 2000, "Finish Time": 4000},
        "Task Metrics": metrics if reason == "Success" else None,
    }


def written(path: Path, *events: dict[str, Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return str(path)


def test_one_file(tmp_path: Path) -> None:
    other = {"Event": "SparkListenerJobStart", "Stage Infos": ["SparkListenerTaskEnd"]}
    log = read_event_log(written(tmp_path / "app-1", other, ADDED, ended(0), ended(1, "ExceptionFailure")))
    assert log.executors == (Executor("0", "127.0.0.2", 2, 1.0),)
    assert log.tasks[0] == Task(3, 0, 0, "0", "127.0.0.2", 2.0, 4.0, 1.5, 0.2, 0.01, True, False)
    assert log.tasks[0].scheduler_delay_s == pytest.approx(0.3)
    assert (log.tasks[1].ok, log.tasks[1].run_s) == (False, 0.0)


def test_a_rolled_log_in_its_order(tmp_path: Path) -> None:
    folder = tmp_path / "eventlog_v2_app"
    written(folder / "appstatus_app")
    for number in (10, 9):
        written(folder / f"events_{number}_app", ended(number))
    assert [task.index for task in read_event_log(str(folder)).tasks] == [9, 10]


def test_what_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="there is no event log"):
        read_event_log(str(tmp_path / "nothing"))
    (tmp_path / "packed").write_bytes(bytes(range(128, 256)))
    with pytest.raises(ClusterError, match="compressed"):
        read_event_log(str(tmp_path / "packed"))
    with pytest.raises(ClusterError, match="no Spark event"):
        read_event_log(written(tmp_path / "odd", {"Event": "SparkListenerTaskEnd"}))


def test_an_empty_log_is_one(tmp_path: Path) -> None:
    assert read_event_log(written(tmp_path / "empty")) == EventLog((), ())
