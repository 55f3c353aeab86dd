"""The JVM that a Spark context of our own lives in: started, reached, and gone when it is no longer needed."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import pyspark
from py4j.java_gateway import JavaGateway
from pyspark.find_spark_home import _find_spark_home
from pyspark.java_gateway import launch_gateway
from pyspark.serializers import UTF8Deserializer, read_int

from shardmill.engines.spark_start import prepared_command
from shardmill.errors import UsageError
from shardmill.java import find_java

_OPTIONS: Final = "-XX:TieredStopAtLevel=1"  # the JVM only hands tasks around: half the CPU of a start is its compiler
_POLL_S: Final = 0.01


class Jvm:
    """A JVM that waits for a Python driver to connect, in a session of its own so that Ctrl-C reaches us alone.

    Args:
        local: Whether its Spark stays on this machine.
        options: More options for it; with any, it is started by Spark's own scripts.
    """

    def __init__(self, *, local: bool, options: str = "") -> None:
        self._local = local
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._lock = threading.Lock()
        self.reached = False
        """Whether a driver has begun to talk to it."""

    @contextmanager
    def gateway(self) -> Iterator[JavaGateway]:
        """Start it, and end it on the way out.

        Raises:
            UsageError: there is no Java that fits, or the JVM ended before it could be reached.
        """
        with (
            tempfile.TemporaryFile(prefix="shardmill-spark-") as log,
            tempfile.TemporaryDirectory(prefix="shardmill-spark-") as folder,
        ):
            told = Path(folder, "connection")
            try:
                self._launch(told, log)
                gateway = self._connect(told, log)
                try:
                    yield gateway
                finally:
                    gateway.shutdown()
            finally:
                self._end()

    def kill(self) -> None:
        """End it now, or keep it from being started. Callable from any thread; whoever uses it meets an error."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    @property
    def pid(self) -> int:
        """Of its process, which must have been started."""
        assert self._process is not None
        return self._process.pid

    def _launch(self, told: Path, log: IO[bytes]) -> None:
        java = find_java(pyspark.__version__)
        command = prepared_command(java) if self._local and not self._options else None
        environment = {
            **os.environ,
            "JAVA_HOME": str(java.home),
            "SPARK_HOME": _find_spark_home(),  # where another Python's workers find pyspark
            "_PYSPARK_DRIVER_CONN_INFO_PATH": str(told),
        }
        if command is None:
            command = _command(os.environ)
            options = (_OPTIONS, self._options, os.environ.get("SPARK_SUBMIT_OPTS", ""))
            environment["SPARK_SUBMIT_OPTS"] = " ".join(filter(None, options))
        if self._local:
            environment.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        with self._lock:
            if self._killed:
                raise UsageError("Spark was told to stop before it had started")
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment,
                    start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise UsageError(f"Spark did not start: {error.strerror}; see 'shardmill doctor'") from error

    def _connect(self, told: Path, log: IO[bytes]) -> JavaGateway:
        assert self._process is not None
        while not told.exists():
            if self._process.poll() is not None:
                raise UsageError(f"Spark did not start: {_last_line(log)}; see 'shardmill doctor'")
            time.sleep(_POLL_S)
        with told.open("rb") as file:
            port, secret = read_int(file), UTF8Deserializer().loads(file)
        self.reached = True
        variables = {"PYSPARK_GATEWAY_PORT": str(port), "PYSPARK_GATEWAY_SECRET": secret}
        os.environ.update(variables)  # the only way to tell pyspark of a JVM that it did not start
        try:
            return launch_gateway()
        finally:
            for name in variables:
                del os.environ[name]

    def _end(self) -> None:
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()  # what the JVM takes as its sign to go, also when we are killed
        self._process.wait()


def _command(environ: Mapping[str, str]) -> list[str]:
    """Spark's own way to start a JVM, which reads its configuration."""
    arguments = shlex.split(environ.get("PYSPARK_SUBMIT_ARGS", "pyspark-shell"))
    return [str(Path(_find_spark_home(), "bin", "spark-submit")), *arguments]


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "it said nothing"
