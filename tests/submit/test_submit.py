from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shardmill import __version__
from shardmill.submit import app_path
from tests.extras import needed


def test_the_path_is_printed() -> None:
    run = subprocess.run([sys.executable, "-m", "shardmill.submit"], capture_output=True, text=True, check=True)
    assert Path(run.stdout.strip()) == app_path()
    assert app_path().is_file()


def spark_submit(*arguments: str) -> subprocess.CompletedProcess[str]:
    pyspark = needed("pyspark")
    from shardmill.java import find_java

    home = Path(pyspark.__file__).parent
    environment = {
        **os.environ,
        "JAVA_HOME": str(find_java(pyspark.__version__).home),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    command = [str(home / "bin" / "spark-submit"), "--master", "local[2]", str(app_path()), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)


@pytest.mark.spark
def test_spark_submit_runs_the_command_line() -> None:
    run = spark_submit("--version")
    assert run.stdout == f"shardmill {__version__}\n", run.stderr
    assert run.returncode == 0


@pytest.mark.spark
def test_exit_code_comes_through() -> None:
    assert spark_submit("prepare", "/nowhere", "/nowhere/out", "--engine", "spark").returncode == 2
