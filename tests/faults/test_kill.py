"""Promises 2 and 3 under `kill -9`: resumed ten times, the bytes are those of a run that was left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from shardmill.dataset import Dataset
from shardmill.errors import DamageError
from shardmill.operations.prepare.run import prepare
from tests.outputs import contents
from tests.pictures import class_folder

SHARDS = 40
OPTIONS: dict[str, Any] = {"size": "64", "num_shards": str(SHARDS), "max_errors": "10%"}
FLAGS = [word for name, value in OPTIONS.items() for word in (f"--{name.replace('_', '-')}", value)]


def published(dest: Path) -> int:
    return len(list(dest.glob("_samples/part-*.parquet")))


def start(source: Path, dest: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "shardmill", "prepare", str(source), str(dest), *FLAGS]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_ten_kills_change_no_byte(tmp_path: Path) -> None:
    source, dest = class_folder(tmp_path / "in", 400, odd=True), tmp_path / "out"
    prepare(str(source), str(tmp_path / "calm"), **OPTIONS)
    moments = random.Random(20)
    between = 0
    for _ in range(10):
        before = published(dest)
        process = start(source, dest)
        family = psutil.Process(process.pid)
        wanted = before + moments.choice([0, 1, 1, 2, 3])
        deadline = time.monotonic() + 60
        while published(dest) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.03) if wanted > before else moments.uniform(0, 1))
        children = family.children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive, "a worker outlives its parent"
        between += 0 < published(dest) < SHARDS
        assert not (dest / "_SUCCESS").exists()
        with pytest.raises(DamageError, match="prepare"):
            Dataset.open(str(dest))
    assert between >= 7, "the kills came too early or too late to show anything"
    process = start(source, dest)
    assert process.wait() == 0
    assert contents(dest) == contents(tmp_path / "calm")
    assert not (dest / "_tmp").exists()


@pytest.mark.slow
def test_interrupt_ends_cleanly_and_resumes(tmp_path: Path) -> None:
    source, dest = class_folder(tmp_path / "in", 400), tmp_path / "out"
    command = [sys.executable, "-m", "shardmill", "prepare", str(source), str(dest), *FLAGS]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while published(dest) < 2 and process.poll() is None:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr == "shardmill: interrupted; the same command continues where it stopped.\n"
    assert 0 < published(dest) < SHARDS
    assert not (dest / "_tmp").exists()
    result = prepare(str(source), str(dest), **OPTIONS)
    assert result.resumed_shards > 0
    assert result.written == 400
