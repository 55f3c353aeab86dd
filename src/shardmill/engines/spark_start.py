"""A quick start of Spark's JVM here: what one has loaded and checked is kept in a file that the next ones map.

Half of a start goes into finding, parsing and checking classes in Spark's jars, and a third of a second into the scripts
and the other JVM that find out how to start it. Making the file takes seconds, so it is made when it is asked for
(`spark_record`), and used where nothing of Spark is configured that those scripts would look at.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from shardmill.java import Java

JAVA_CLASSES: Final = "java.jsa"
"""Those of Java itself, for some runtimes come without a file of them."""
SPARK_CLASSES: Final = "spark.jsa"
"""Those that Spark has loaded on top of these."""
COMMAND: Final = "command.json"

_READ_BY_THE_JVM: Final = ("SPARK_LOCAL_IP", "SPARK_LOCAL_DIRS", "SPARK_LOCAL_HOSTNAME", "SPARK_USER")
_SET_BY_PYSPARK: Final = ("SPARK_AUTH_SOCKET_TIMEOUT", "SPARK_BUFFER_SIZE")
_CONFIGURING: Final = ("SPARK_", "PYSPARK_SUBMIT_ARGS", "HADOOP_", "YARN_", "JAVA_TOOL_", "JDK_JAVA_", "_JAVA_")


def prepared_folder(java: Java, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the file for the installed pyspark on `java` belongs, among the user's caches."""
    spark = version("pyspark")
    what = json.dumps([spark, str(_pyspark()), java.version, str(java.home)])
    caches = Path(environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return caches / "shardmill" / f"spark-{spark}-{hashlib.sha256(what.encode()).hexdigest()[:16]}"


def prepared_command(java: Java, environ: Mapping[str, str] = os.environ) -> list[str] | None:
    """The command that starts Spark's JVM from the file; None where there is none, or Spark is configured.

    Java itself sees to it that the file fits, and goes without where it does not.
    """
    folder = prepared_folder(java, environ)
    if what_configures(environ) is not None:
        return None
    if not all((folder / name).is_file() for name in (JAVA_CLASSES, SPARK_CLASSES, COMMAND)):
        return None
    words = json.loads((folder / COMMAND).read_text(encoding="utf-8"))
    return [words[0], f"-XX:SharedArchiveFile={folder / JAVA_CLASSES}:{folder / SPARK_CLASSES}", *words[1:]]


def what_configures(environ: Mapping[str, str] = os.environ) -> str | None:
    """A variable or folder that Spark's own scripts may follow when they start its JVM; None where there is none."""
    for name in environ:
        if name.startswith(_CONFIGURING) and name not in (*_READ_BY_THE_JVM, *_SET_BY_PYSPARK):
            return name
    folder = _pyspark() / "conf"
    return str(folder) if folder.exists() else None


def _pyspark() -> Path:
    found = find_spec("pyspark")  # which does not import it
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent
