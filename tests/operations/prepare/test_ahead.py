"""Spark starts while the plan is made: for runs that need it, and never beyond them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import psutil
import pytest

from shardmill.operations.prepare.run import prepare
from tests.extras import needed
from tests.pictures import class_folder, jpeg

needed("pyspark")

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("source"), 8)


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("Spark was started")

    monkeypatch.setattr("shardmill.engines.spark.ContextAhead", refuse)


def test_not_for_a_look_at_the_plan(source: Path, tmp_path: Path, never: None) -> None:
    assert prepare(str(source), str(tmp_path / "out"), engine="spark", dry_run=True).listed == 8


def test_not_for_a_set_that_is_whole(source: Path, tmp_path: Path, never: None) -> None:
    prepare(str(source), str(tmp_path), size="32")
    assert prepare(str(source), str(tmp_path), size="32", engine="spark").already_complete


def start(source: Path, dest: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "shardmill", "prepare", str(source), str(dest), "--engine", "spark"]
    return subprocess.Popen(
        [*command, "--master", "local[2]"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def started_jvm(driver: subprocess.Popen[str]) -> psutil.Process:
    """The process that is, or becomes, Java, as soon as it is there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and driver.poll() is None:
        for child in psutil.Process(driver.pid).children():
            if "pyspark" in " ".join(child.cmdline()):
                return child
        time.sleep(0.01)
    raise AssertionError(f"no JVM was seen: {driver.communicate(timeout=30)}")


def test_a_plan_that_fails_says_so_and_leaves_no_jvm(tmp_path: Path) -> None:
    (tmp_path / "in" / "ash").mkdir(parents=True)
    driver = start(tmp_path / "in", tmp_path / "out")
    jvm = started_jvm(driver)
    output, errors = driver.communicate(timeout=60)
    assert (driver.returncode, output) == (2, "")
    assert errors.startswith("shardmill: no images found in ")
    assert errors.count("\n") == 1
    assert not jvm.is_running()


@pytest.mark.parametrize("stage", ["launched", "starting", "called workers"])
def test_interrupted_while_it_starts(tmp_path: Path, stage: str) -> None:
    folder = class_folder(tmp_path / "in", 8)
    (folder / "ash" / "large.jpg").write_bytes(jpeg(1, 1600, 1200))
    for number in range(400):
        os.link(folder / "ash" / "large.jpg", folder / "ash" / f"large-{number}.jpg")
    driver = start(folder, tmp_path / "out")
    jvm = started_jvm(driver)
    if stage == "starting":
        time.sleep(0.7)
    while stage == "called workers" and not jvm.children():
        time.sleep(0.01)
    os.killpg(driver.pid, signal.SIGINT)
    output, errors = driver.communicate(timeout=60)
    assert (driver.returncode, output) == (130, ""), errors
    assert errors.splitlines()[-1] == "shardmill: interrupted; the same command continues where it stopped."
    assert "Traceback" not in errors
    assert "Warning" not in errors
    assert not jvm.is_running()
