from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shardmill.speedtest.cache import bring_into_cache, drop_from_cache, usage_meter

SIZE = 3_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(SIZE))
    return path


def delivered(path: Path) -> int | None:
    """Bytes that the device delivers while the file is read; None where nobody counts."""
    usage = usage_meter(str(path))
    before = usage().device_bytes
    path.read_bytes()
    after = usage().device_bytes
    return None if before is None or after is None else after - before


def on_a_disk(path: Path) -> bool:
    """False in a container whose temporary files live in memory, where nothing is ever cold."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True).stdout.strip()
    return kind not in ("tmpfs", "ramfs")


def test_what_was_just_written_is_cached_and_can_be_dropped(file: Path) -> None:
    assert delivered(file) in (0, None)
    drop_from_cache([str(file)])
    first = delivered(file)
    assert first is None or (first >= SIZE if on_a_disk(file) else first == 0)
    assert delivered(file) in (0, None)


def test_what_is_brought_into_the_cache_is_not_fetched_again(file: Path) -> None:
    drop_from_cache([str(file)])
    bring_into_cache([str(file)], 10 * SIZE)
    assert delivered(file) in (0, None)


def test_no_more_is_brought_into_the_cache_than_allowed(file: Path) -> None:
    drop_from_cache([str(file)])
    usage = usage_meter(str(file))
    before = usage().device_bytes
    bring_into_cache([str(file), "/nowhere"], 1)
    after = usage().device_bytes
    assert before is None or after is None or after - before < 2 * SIZE


def test_memory_is_never_cold() -> None:
    path = Path("/dev/shm") / f"shardmill-test-{os.getpid()}"
    path.write_bytes(os.urandom(1000))
    try:
        drop_from_cache([str(path)])
        assert delivered(path) in (0, None)
    finally:
        path.unlink()


def test_the_network_is_counted_for_the_whole_machine() -> None:
    device_bytes = usage_meter(None)().device_bytes
    assert device_bytes is not None
    assert device_bytes >= 0


def test_the_cpu_of_threads_counts() -> None:
    program = """
import threading, time
from shardmill.speedtest.cache import usage_meter
usage = usage_meter("/")
before = usage().cpu_s
def spin():
    end = time.thread_time() + 0.2
    while time.thread_time() < end: pass
threads = [threading.Thread(target=spin) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(usage().cpu_s - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert float(done.stdout) >= 0.4
