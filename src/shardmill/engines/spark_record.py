"""Makes the file from which Spark's JVM starts quickly; see `spark_start`."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import psutil
import pyspark

from shardmill.engines.spark import SparkEngine
from shardmill.engines.spark_jvm import Jvm
from shardmill.engines.spark_session import has_gateway, own_context
from shardmill.engines.spark_start import COMMAND, JAVA_CLASSES, SPARK_CLASSES, prepared_folder, what_configures
from shardmill.errors import ShardmillError, UsageError
from shardmill.java import find_java

_COLLECTOR: Final = "-XX:+UseSerialGC"  # no threads of its own, for the next to nothing that there is to collect
_FROM: Final = "-XX:SharedArchiveFile="
_TO: Final = "-XX:ArchiveClassesAtExit="


def prepare_start() -> Path:
    """Run a small Spark job in a JVM that notes its classes, and keep them for all starts to come; returns the folder.

    Raises:
        UsageError: Spark is configured, so that the file would not be used; a session is running; or there is no Java.
        ShardmillError: this Java cannot write such a file.
    """
    if (configured := what_configures()) is not None:
        raise UsageError(f"Spark is configured by {configured}, so it is started by its own scripts")
    if has_gateway():
        raise UsageError("a Spark session is running in this process; prepare the start in another")
    java = find_java(pyspark.__version__)
    folder = prepared_folder(java)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / COMMAND).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=folder) as scratch:
        base, top = Path(scratch, JAVA_CLASSES), Path(scratch, SPARK_CLASSES)
        _dump([str(java.home / "bin" / "java"), _COLLECTOR, "-Xshare:dump", f"{_FROM}{base}"])
        base = base.replace(folder / JAVA_CLASSES)  # to its final place: the file on top of it says where it is
        jvm = Jvm(local=True, options=f"{_COLLECTOR} {_FROM}{base} {_TO}{top}")
        with own_context("local[2]", {}, jvm):
            list(SparkEngine().run(abs, range(4)))
            words = psutil.Process(jvm.pid).cmdline()
        if not top.is_file():
            raise ShardmillError("this Java wrote no file of its classes; Spark starts without")
        top.replace(folder / SPARK_CLASSES)
    command = [word for word in words if not word.startswith((_FROM, _TO))]
    with tempfile.TemporaryDirectory(prefix=".", dir=folder) as scratch:
        whole = Path(scratch, COMMAND)
        whole.write_text(json.dumps(command), encoding="utf-8")
        whole.replace(folder / COMMAND)  # last: only now is it used
    return folder


def _dump(command: list[str]) -> None:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        said = (run.stderr or run.stdout).strip().splitlines() or [f"exit code {run.returncode}"]
        raise ShardmillError(f"this Java wrote no file of its classes: {said[-1]}")
