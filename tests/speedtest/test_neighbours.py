from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from shardmill.machine import available_cores
from shardmill.speedtest import neighbours
from shardmill.speedtest.neighbours import Neighbours, Taken

SPIN = (
    "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"  # never for good, whatever happens
)
ORPHANS = """
import subprocess, sys
for _ in range(int(sys.argv[1])):
    print(subprocess.Popen([sys.executable, "-c", sys.argv[2]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)
"""


@contextmanager
def busy(*, ours: bool) -> Iterator[None]:
    """As many busy processes as cores: children of this one, or of one that has gone."""
    cores = available_cores()
    processes: list[psutil.Process]
    if ours:
        processes = [psutil.Popen([sys.executable, "-c", SPIN]) for _ in range(cores)]
    else:
        command = [sys.executable, "-c", ORPHANS, str(cores), SPIN]
        pids = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split()
        processes = [psutil.Process(int(pid)) for pid in pids]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=10)


@pytest.mark.parametrize("ours", [True, False])
def test_what_others_take_is_told_from_what_is_ours(ours: bool) -> None:
    with busy(ours=ours):
        watch = Neighbours()
        time.sleep(1)
        taken = watch.taken()
    assert 0 <= taken.by_others <= 1
    assert 0 <= taken.idle <= 1
    if not ours:
        assert taken.by_others > 0.5
        assert taken.disturbing
    else:
        with busy(ours=False):
            watch = Neighbours()
            time.sleep(1)
            assert watch.taken().by_others > taken.by_others


def test_where_cores_are_free_nobody_is_disturbed() -> None:
    assert Taken(0.3, 0.0, 1.0).disturbing
    assert not Taken(0.3, 0.6, 1.0).disturbing
    assert not Taken(0.02, 0.0, 1.0).disturbing
    assert not Taken(0.3, 0.0, 0.03).disturbing


def test_no_time_at_all_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_times", lambda: (1.0, 2.0, 0.5))
    assert not Neighbours().taken().disturbing
