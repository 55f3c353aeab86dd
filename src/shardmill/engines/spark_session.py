"""A Spark context of our own: quiet, on loopback where it is local, and gone when it is no longer needed."""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Final

from py4j.java_gateway import JavaGateway
from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark import __version__ as pyspark_version
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway

from shardmill.engines.spark_errors import explain
from shardmill.errors import UsageError
from shardmill.java import find_java
from shardmill.sampling import LAST_SAMPLES_S, SAMPLES_VARIABLE

DEFAULTS: Final[Mapping[str, str]] = {
    "spark.dynamicAllocation.enabled": "false",  # executors that come and go make two runs incomparable
    "spark.python.worker.faulthandler.enabled": "true",  # a crash in a decoder then says where
    "spark.python.worker.reuse": "true",
    "spark.speculation": "true",
    "spark.speculation.minTaskRuntime": "60s",  # copies of short tasks cost more than they save
    "spark.speculation.multiplier": "3",
    "spark.speculation.quantile": "0.9",
    "spark.task.maxFailures": "4",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
"""What a context of ours is set to wherever its user has not set it, by any of Spark's own means."""

_LOCAL_ONLY: Final = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
_CLUSTER_ONLY: Final = {
    "spark.executor.memory": "1g",
    "spark.executor.memoryOverhead": "2g",
}  # the work is not in the JVM
_JVM_OPTIONS: Final = (
    "-XX:TieredStopAtLevel=1"  # the JVM only hands tasks around: half the CPU of a start is its compiler
)
_LOCAL_MASTER: Final = re.compile(r"local(?:\[(\*|\d+)\])?")


def with_retries(master: str) -> str:
    """`master`, where a local one also repeats failed tasks as a cluster does: `local[2]` becomes `local[2,4]`."""
    match = _LOCAL_MASTER.fullmatch(master)
    return master if match is None else f"local[{match[1] or 1},4]"


@contextmanager
def own_context(master: str | None, settings: Mapping[str, str]) -> Iterator[SparkContext]:
    """Start a context, and stop it and every process started for it on the way out.

    `master` None means what Spark is configured for, else all cores here. Under spark-submit the JVM exists already
    and stays. JAVA_HOME, PYSPARK_PYTHON, SPARK_LOCAL_IP and SPARK_SUBMIT_OPTS are changed in `os.environ` for as long
    as the start takes, because pyspark passes them on from there only, and then put back.

    Raises:
        UsageError: no usable Java, or settings that Spark refuses.
    """
    if SparkContext._gateway is not None or "PYSPARK_GATEWAY_PORT" in os.environ:
        with _context(master, settings, gateway=None) as context:
            yield context
        return
    with tempfile.TemporaryFile(prefix="shardmill-spark-") as log, _gateway(master, log) as gateway:
        try:
            with _context(master, settings, gateway) as context:
                yield context
        finally:
            SparkContext._gateway = SparkContext._jvm = None


@contextmanager
def _context(master: str | None, settings: Mapping[str, str], gateway: JavaGateway | None) -> Iterator[SparkContext]:
    with _environment({"PYSPARK_PYTHON": os.environ.get("PYSPARK_PYTHON", sys.executable)}), _own_interrupt_handler():
        try:
            SparkContext._ensure_initialized(gateway=gateway)
            context = SparkContext(conf=_configuration(master, settings, launched=gateway is not None))
        except (Py4JError, PySparkException) as error:
            raise explain(str(error)) from error
    try:
        yield context
        _let_samples_come(context)
    finally:
        context.stop()


def _let_samples_come(context: SparkContext) -> None:
    """Stopping kills the workers at once, and what they have sampled since their last partition ended with them."""
    if context.getConf().contains(f"spark.executorEnv.{SAMPLES_VARIABLE}") or os.environ.get(SAMPLES_VARIABLE):
        time.sleep(LAST_SAMPLES_S)


def _configuration(master: str | None, settings: Mapping[str, str], *, launched: bool) -> SparkConf:
    conf = SparkConf()
    if master is not None:
        conf.setMaster(master)
    if launched:  # spark-submit fills in local[*] and a name of its own where nobody set any
        conf.setMaster(with_retries(conf.get("spark.master", "local[*]")))
        conf.setAppName("shardmill")
        conf.set("spark.ui.showConsoleProgress", "false")
    for key, value in settings.items():
        conf.set(key, value)
    local = _is_local(conf.get("spark.master", "local[*]"))
    defaults = dict(DEFAULTS)
    if local:
        defaults |= _LOCAL_ONLY
    elif not conf.contains("spark.executor.memory"):
        defaults |= _CLUSTER_ONLY
    for key, value in defaults.items():
        conf.setIfMissing(key, value)
    return conf


@contextmanager
def _gateway(master: str | None, log: IO[bytes]) -> Iterator[JavaGateway]:
    """Start the JVM, its own chatter going to `log`, in a session of its own so that Ctrl-C reaches us alone."""
    variables = {
        "JAVA_HOME": str(find_java(pyspark_version).home),
        "SPARK_SUBMIT_OPTS": f"{_JVM_OPTIONS} {os.environ.get('SPARK_SUBMIT_OPTS', '')}".strip(),
    }
    if master is None or _is_local(master):
        variables["SPARK_LOCAL_IP"] = os.environ.get("SPARK_LOCAL_IP", "127.0.0.1")
    with _environment(variables):
        try:
            gateway = launch_gateway(popen_kwargs={"stdout": log, "stderr": log, "start_new_session": True})
        except (PySparkException, OSError) as error:
            raise UsageError(f"Spark did not start: {_last_line(log)}; see 'shardmill doctor'") from error
    try:
        yield gateway
    finally:
        gateway.shutdown()
        gateway.proc.stdin.close()  # what the JVM takes as its sign to go, also when we are killed
        gateway.proc.wait()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _own_interrupt_handler() -> Iterator[None]:
    """Undo that a new context takes SIGINT over: its handler talks to the JVM from within a signal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _is_local(master: str) -> bool:
    return master.startswith("local") and not master.startswith("local-cluster")


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "it said nothing"
