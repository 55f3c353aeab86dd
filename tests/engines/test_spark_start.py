"""The file from which Spark's JVM starts quickly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shardmill.java import Java
from tests.extras import needed

needed("pyspark")

from shardmill.engines.spark_start import (
    COMMAND,
    JAVA_CLASSES,
    SPARK_CLASSES,
    prepared_command,
    prepared_folder,
    what_configures,
)

JAVA = Java(Path("/opt/java"), "17.0.15", "PATH")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path), "PATH": "/usr/bin"}


def put_file(environ: dict[str, str], java: Java = JAVA) -> Path:
    folder = prepared_folder(java, environ)
    folder.mkdir(parents=True)
    (folder / JAVA_CLASSES).touch()
    (folder / SPARK_CLASSES).touch()
    (folder / COMMAND).write_text(json.dumps(["/opt/java/bin/java", "-Xmx1g", "Main"]))
    return folder


def test_a_start_that_was_prepared_is_used(environ: dict[str, str]) -> None:
    assert prepared_command(JAVA, environ) is None
    folder = put_file(environ)
    assert prepared_command(JAVA, environ) == [
        "/opt/java/bin/java",
        f"-XX:SharedArchiveFile={folder / JAVA_CLASSES}:{folder / SPARK_CLASSES}",
        "-Xmx1g",
        "Main",
    ]


@pytest.mark.parametrize("name", [JAVA_CLASSES, SPARK_CLASSES, COMMAND])
def test_not_where_part_of_it_is_gone(name: str, environ: dict[str, str]) -> None:
    (put_file(environ) / name).unlink()
    assert prepared_command(JAVA, environ) is None


def test_not_with_another_java(environ: dict[str, str]) -> None:
    put_file(environ)
    assert prepared_command(Java(Path("/opt/java"), "17.0.16", "PATH"), environ) is None
    assert prepared_command(Java(Path("/opt/other"), "17.0.15", "PATH"), environ) is None


@pytest.mark.parametrize(
    "name",
    [
        "SPARK_CONF_DIR",
        "SPARK_HOME",
        "SPARK_SUBMIT_OPTS",
        "PYSPARK_SUBMIT_ARGS",
        "HADOOP_CONF_DIR",
        "JAVA_TOOL_OPTIONS",
    ],
)
def test_not_where_spark_is_configured(name: str, environ: dict[str, str]) -> None:
    put_file(environ)
    environ[name] = "something"
    assert what_configures(environ) == name
    assert prepared_command(JAVA, environ) is None


def test_what_the_jvm_itself_reads_does_not_matter(environ: dict[str, str]) -> None:
    put_file(environ)
    environ |= {"SPARK_LOCAL_DIRS": "/scratch", "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_BUFFER_SIZE": "65536"}
    assert prepared_command(JAVA, environ) is not None


PROGRAM = """
import json, psutil
from shardmill.engines.spark import SparkEngine
from shardmill.engines.spark_record import prepare_start
from shardmill.engines.spark_session import own_context
folder = prepare_start()
with own_context("local[2]", {}):
    [java] = [child for child in psutil.Process().children() if "java" in child.name()]
    mapped = [mapping.path for mapping in java.memory_maps() if mapping.path.startswith(str(folder))]
    print(json.dumps([sorted(SparkEngine().run(abs, range(3))), sorted(set(mapped))]))
left = [path.name for path in folder.iterdir()]
print(json.dumps(sorted(left)))
"""


@pytest.mark.spark
@pytest.mark.slow
def test_it_is_made_and_mapped(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if what_configures({name: value}) is None}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={**environment, "XDG_CACHE_HOME": str(tmp_path)},
    )
    assert run.stderr == ""
    results, left = map(json.loads, run.stdout.splitlines())
    [folder] = (tmp_path / "shardmill").iterdir()
    assert results == [[0, 1, 2], [str(folder / JAVA_CLASSES), str(folder / SPARK_CLASSES)]]
    assert left == [COMMAND, JAVA_CLASSES, SPARK_CLASSES]
