from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from shardmill import isolation
from shardmill.engines.local import LocalEngine
from shardmill.errors import UsageError
from shardmill.machine import available_cores
from shardmill.testing.engines import EngineConformance


class TestLocalEngine(EngineConformance):
    @pytest.fixture(params=[1, 2, 16])
    def engine(self, request: pytest.FixtureRequest) -> LocalEngine:
        return LocalEngine(workers=request.param)


def meet(barrier: threading.Barrier, number: int) -> int:
    barrier.wait(timeout=10)
    return number


def test_workers_run_at_the_same_time() -> None:
    barrier = threading.Barrier(3)
    assert sorted(LocalEngine(workers=3).run(lambda number: meet(barrier, number), [1, 2, 3])) == [1, 2, 3]


def test_one_worker_a_core_by_default() -> None:
    assert LocalEngine().describe()["workers"] == available_cores() == len(os.sched_getaffinity(0))


def test_no_workers_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        LocalEngine(workers=0)


def pid_of_child(number: int) -> int:
    return isolation.call(_pid, number)


def _pid(number: int) -> int:
    return os.getpid()


def test_children_end_with_the_run() -> None:
    pids = set(LocalEngine(workers=2).run(pid_of_child, range(6)))
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
