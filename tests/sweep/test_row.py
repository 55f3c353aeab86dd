from __future__ import annotations

import pytest

from shardmill.clusters.base import Role, UsageSample
from shardmill.clusters.event_log import EventLog, Executor, Task
from shardmill.sweep.row import summarise_tasks, summarise_usage


def task(index: int, start: float, end: float, *, ok: bool = True, stage: int = 1, attempt: int = 0) -> Task:
    return Task(
        stage, index, attempt, "0", "127.0.0.2", start, end, max(end - start - 0.2, 0), 0.1, 0.0, ok, attempt > 0
    )


def sample(
    node: str, start: float, *, role: Role = "worker", cpu_s: float = 1.0, disk: float | None = 10.0
) -> UsageSample:
    return UsageSample(node, role, start, 1.0, 2.0, cpu_s, 100.0, 50.0, disk, disk, 1e9, "process")


def test_tasks_of_the_longest_stage() -> None:
    executors = (Executor("0", "a", 1, 0.0), Executor("1", "b", 1, 0.0))
    short = task(0, 0.0, 0.1, stage=0)
    log = EventLog(executors, (short, task(0, 1.0, 3.0), task(1, 1.0, 3.0), task(2, 3.0, 7.0)))
    summary = summarise_tasks(log)
    assert summary is not None
    assert (summary.tasks, summary.slots, summary.waves) == (3, 2, 1.5)
    assert (summary.median_s, summary.longest_s, summary.straggling) == (2.0, 4.0, 2.0)
    assert summary.idle_share == pytest.approx(1 - 8 / (2 * 6))
    assert summary.scheduler_delay_s == pytest.approx(0.1)
    assert (summary.started_at, summary.finished_at, summary.lost_s) == (1.0, 7.0, 0.0)


def test_repeated_and_overtaken_attempts_count_once_and_are_told() -> None:
    executors = (Executor("0", "a", 2, 0.0),)
    log = EventLog(executors, (task(0, 0.0, 1.0, ok=False), task(0, 1.0, 4.0, attempt=1), task(0, 2.0, 5.0, attempt=2)))
    summary = summarise_tasks(log)
    assert summary is not None
    assert (summary.tasks, summary.median_s, summary.lost_s) == (1, 3.0, 4.0)


def test_nothing_ended_well() -> None:
    assert summarise_tasks(EventLog((), ())) is None
    assert summarise_tasks(EventLog((Executor("0", "a", 1, 0.0),), (task(0, 0.0, 1.0, ok=False),))) is None


def test_use_is_of_the_workers_and_of_the_run_alone() -> None:
    samples = [sample("w0", at) for at in range(10)] + [sample("w1", at, cpu_s=0.5) for at in range(10)]
    samples += [sample("m", at, role="master", cpu_s=9.0) for at in range(10)]
    use = summarise_usage(samples, 2.0, 6.5, cores=4)
    assert use is not None
    assert use.covered_s == pytest.approx(4.5)
    assert use.cpu_s == pytest.approx(4.5 * 1.5)
    assert use.cpu_share == pytest.approx(1.5 / 4)
    assert use.network_in_bytes == pytest.approx(2 * 450)
    assert use.disk_read_bytes == pytest.approx(2 * 45)
    assert use.memory_bytes == pytest.approx(2e9)


def test_a_single_node_is_its_own_worker() -> None:
    use = summarise_usage([sample("m", 0.0, role="master")], 0.0, 1.0, cores=2)
    assert use is not None
    assert use.cpu_share == pytest.approx(0.5)


def test_what_no_source_tells_is_not_nought() -> None:
    use = summarise_usage([sample("w", 0.0, disk=None)], 0.0, 1.0, cores=2)
    assert use is not None
    assert use.disk_read_bytes is None
    assert summarise_usage([], 0.0, 1.0, cores=2) is None
    assert summarise_usage([sample("w", 5.0)], 0.0, 1.0, cores=2) is None
