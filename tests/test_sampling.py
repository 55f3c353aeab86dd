from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from shardmill import sampling
from shardmill.sampling import SAMPLES_VARIABLE, HostMeter, Sampler, sampled

PROGRAM = """\
import sys, time
from pathlib import Path
from shardmill.sampling import Sampler
Sampler(sys.argv[1], Path(sys.argv[2]), publish_s=0.5).start()
print("started", flush=True)
time.sleep(120)
"""


def published(folder: Path) -> list[dict[str, Any]]:
    """Every sample, in the order of time, with the number of the process that took it."""
    samples = [
        json.loads(line) | {"pid": int(path.stem.rpartition("-")[2])}
        for path in folder.glob("*/*.jsonl")
        for line in path.read_text().splitlines()
    ]
    return sorted(samples, key=lambda sample: sample["start"])


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


@contextmanager
def sampling_process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", PROGRAM, str(folder / "samples"), str(folder / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"started\n"
            yield process
        finally:
            process.kill()


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_meter_counts_the_whole_machine() -> None:
    meter = HostMeter()
    subprocess.run([sys.executable, "-c", "while __import__('time').process_time() < 1: pass"], check=True)
    first, second = meter.look(), meter.look()
    assert first.host == socket.gethostname()
    assert first.cores == os.cpu_count()
    assert 0.9 <= first.cpu_s <= first.cores * first.seconds + 0.1
    assert second.start == pytest.approx(first.start + first.seconds, abs=0.05)
    assert second.seconds < first.seconds
    assert 0 < first.memory_bytes < psutil.virtual_memory().total


def test_network_leaves_loopback_out() -> None:
    meter = HostMeter()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        connection, _ = server.accept()
        with connection:
            for _ in range(64):
                client.sendall(bytes(1 << 20))
                left = 1 << 20
                while left:
                    left -= len(connection.recv(left))
    sample = meter.look()
    assert (sample.network_in_bytes or 0) + (sample.network_out_bytes or 0) < 32 << 20


def test_disk_counts_what_reaches_the_device(tmp_path: Path) -> None:
    meter = HostMeter()
    if meter.look().disk_write_bytes is None:
        return  # a machine that has no disks of its own
    with (tmp_path / "file").open("wb") as file:
        file.write(os.urandom(16 << 20))
        file.flush()
        os.fsync(file.fileno())
    written = meter.look().disk_write_bytes
    assert written is not None
    assert written >= 16 << 20


def test_partitions_end_is_published_at_once(tmp_path: Path) -> None:
    sampler = Sampler(str(tmp_path / "samples"), tmp_path / "lock", publish_s=600.0, spacing_s=0.0)
    sampler.start()
    wait_until((tmp_path / "lock").exists)
    burn(0.3)
    sampler.partition_ended()
    wait_until(lambda: bool(published(tmp_path / "samples")))
    sampler.stop()
    samples = published(tmp_path / "samples")
    for before, after in pairwise(samples):
        assert after["start"] == pytest.approx(before["start"] + before["seconds"], abs=0.05)


def test_two_processes_make_one_series_and_the_second_takes_over(tmp_path: Path) -> None:
    with sampling_process(tmp_path) as first:
        wait_until(lambda: bool(published(tmp_path / "samples")))
        with sampling_process(tmp_path) as second:
            seen = len(published(tmp_path / "samples"))
            wait_until(lambda: len(published(tmp_path / "samples")) >= seen + 3)
            assert {sample["pid"] for sample in published(tmp_path / "samples")} == {first.pid}
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            wait_until(lambda: published(tmp_path / "samples")[-1]["pid"] == second.pid)
    samples = published(tmp_path / "samples")
    for before, after in pairwise(samples):
        assert after["start"] >= before["start"] + before["seconds"] - 0.05


def test_child_that_outlives_the_sampler_does_not_keep_the_lock(tmp_path: Path) -> None:
    forks = PROGRAM.replace("time.sleep(120)", "time.sleep(2)\nimport os\nif os.fork(): os._exit(0)\ntime.sleep(120)")
    words = [str(tmp_path / "samples"), str(tmp_path / "lock")]
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", forks, *words], start_new_session=True) as parent:
        try:
            parent.wait()
            with sampling_process(tmp_path) as second:
                wait_until(lambda: second.pid in {sample["pid"] for sample in published(tmp_path / "samples")})
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def test_what_could_not_be_published_is_told_once_and_published_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "samples"
    folder.write_text("a file where a folder should be")
    sampler = Sampler(str(folder), tmp_path / "lock", publish_s=0.3, beat_s=0.3)
    before = time.time()
    with caplog.at_level(logging.WARNING):
        sampler.start()
        wait_until(lambda: bool(caplog.records))
        time.sleep(1.2)  # more failures
        folder.unlink()
        wait_until(lambda: bool(published(folder)))
        sampler.stop()
    assert len(caplog.records) == 1
    assert "what this machine uses is not told under" in caplog.text
    assert published(folder)[0]["start"] < before + 1


@pytest.mark.parametrize("url", ["ftp://nowhere/samples", "gs://"])
def test_url_that_names_no_store_is_told_once_and_fails_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(SAMPLES_VARIABLE, url)
    monkeypatch.setattr(sampling, "_samplers", {})
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with sampled():
                burn(0.01)
        [sampler] = sampling._samplers.values()
        assert sampler is not None
        sampler.stop()
    assert [url in record.getMessage() for record in caplog.records] == [True]


def test_no_folder_for_temporary_files_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(SAMPLES_VARIABLE, str(tmp_path / "samples"))
    monkeypatch.setattr(sampling, "_samplers", {})
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: [str(tmp_path / "absent")])
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with sampled():
                pass
    assert len(caplog.records) == 1
    assert "No usable temporary directory" in caplog.text


def test_lock_that_cannot_be_opened_fails_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")  # somebody else's doing, in a folder that all may write to
    sampler = Sampler(str(tmp_path / "samples"), tmp_path / "lock")
    with caplog.at_level(logging.WARNING):
        sampler.start()
        sampler.partition_ended()
        sampler.stop()
    assert len(caplog.records) == 1
    assert not (tmp_path / "samples").exists()
    assert not (tmp_path / "elsewhere").exists()


def test_nothing_is_sampled_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SAMPLES_VARIABLE, raising=False)
    monkeypatch.setattr(sampling, "_samplers", {})
    with sampled():
        pass
    assert not sampling._samplers
