"""A decoder that crashes, hangs or eats memory loses its image, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shardmill.operations.prepare.run import prepare
from tests.faults.crashing import CRASH, EAT, HANG
from tests.outputs import contents, manifest, samples
from tests.pictures import class_folder, jpeg


@pytest.fixture
def _crashing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Workers load the dangerous transform under the name `native`: they read the same table in a fresh process."""
    startup = tmp_path / "startup"
    startup.mkdir()
    (startup / "sitecustomize.py").write_text(
        "from shardmill import registry\n"
        "plugin = registry.Plugin('tests.faults.crashing:CrashingTransform')\n"
        "registry.TRANSFORMS = {**registry.TRANSFORMS, 'native': plugin}\n"
    )
    monkeypatch.syspath_prepend(str(startup))


@pytest.mark.slow
@pytest.mark.usefixtures("_crashing")
@pytest.mark.parametrize(
    ("ending", "reason", "options"),
    [
        (CRASH, "crashed", {}),
        (HANG, "timed_out", {"image_timeout": 1.0}),
        (EAT, "out_of_memory", {"worker_memory": "700MB"}),
    ],
)
def test_loses_only_its_image(ending: bytes, reason: str, options: dict[str, Any], tmp_path: Path) -> None:
    source = class_folder(tmp_path / "in", 30)
    (source / "ash/danger.jpg").write_bytes(jpeg(5) + ending)
    result = prepare(str(source), str(tmp_path / "out"), num_shards="3", max_errors="1", **options)
    assert (result.written, result.failed) == (30, 1)
    failed = [row for row in samples(tmp_path / "out") if row["status"] == "failed"]
    assert [(row["key"], row["reason"]) for row in failed] == [("ash/danger.jpg", reason)]
    assert manifest(tmp_path / "out")["data"]["reasons"] == {reason: 1}


@pytest.mark.slow
@pytest.mark.usefixtures("_crashing")
def test_a_crash_is_the_same_with_any_workers(tmp_path: Path) -> None:
    source = class_folder(tmp_path / "in", 20)
    for name in ("ash/danger.jpg", "birch/danger.jpg"):
        (source / name).write_bytes(jpeg(6) + CRASH)
    for workers in (1, 3):
        prepare(str(source), str(tmp_path / str(workers)), workers=workers, num_shards="3", max_errors="2")
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.usefixtures("_crashing")
def test_a_crash_is_the_same_on_spark(tmp_path: Path) -> None:
    """In a process of its own, where Spark is started ahead and forks the children of its workers."""
    source = class_folder(tmp_path / "in", 20, odd=True)
    for name in ("ash/danger.jpg", "birch/danger.jpg"):
        (source / name).write_bytes(jpeg(6) + CRASH)
    prepare(str(source), str(tmp_path / "local"), num_shards="3", max_errors="50%")
    command = [sys.executable, "-m", "shardmill", "prepare", str(source), str(tmp_path / "spark"), "--num-shards", "3"]
    run = subprocess.run(
        [*command, "--max-errors", "50%", "--engine", "spark", "--master", "local[2]"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert run.returncode == 0, run.stderr
    assert contents(tmp_path / "spark") == contents(tmp_path / "local")
    assert manifest(tmp_path / "spark")["data"]["reasons"]["crashed"] == 2
