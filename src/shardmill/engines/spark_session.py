"""A Spark context of our own: quiet, on loopback where it is local, and gone when it is no longer needed."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from py4j.java_gateway import JavaGateway
from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException

from shardmill.engines.spark_errors import explain
from shardmill.engines.spark_jvm import Jvm
from shardmill.isolation import CHILD_ENVIRONMENT
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
PRELOAD_VARIABLE: Final = "SHARDMILL_PRELOAD"
"""Names, for workers here, the module that their tasks are defined in, which they then share with all that it imports."""

_DAEMON: Final = "shardmill.engines.spark_daemon"
_CANCEL_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.2
_LOCAL_MASTER: Final = re.compile(r"local(?:\[(\*|\d+)\])?")


def with_retries(master: str) -> str:
    """`master`, where a local one also repeats failed tasks as a cluster does: `local[2]` becomes `local[2,4]`."""
    match = _LOCAL_MASTER.fullmatch(master)
    return master if match is None else f"local[{match[1] or 1},4]"


@contextmanager
def own_context(
    master: str | None, settings: Mapping[str, str], jvm: Jvm | None = None, preload: str | None = None
) -> Iterator[SparkContext]:
    """Start a context, and stop it and every process started for it on the way out.

    `master` None means what Spark is configured for, else all cores here. Under spark-submit the JVM exists already
    and stays. The variables that pyspark takes a JVM's address from are in `os.environ` while it connects.

    Args:
        jvm: One that was not started yet, for those who may want to end it before the context is there.
        preload: A module whose functions do their work in children (`shardmill.isolation`): workers here share it.

    Raises:
        UsageError: no usable Java, or settings that Spark refuses.
    """
    if has_gateway():
        with _context(master, settings, None, preload) as context:
            yield context
        return
    jvm = jvm or Jvm(local=is_local(master))
    with jvm.gateway() as gateway:
        try:
            with _context(master, settings, gateway, preload) as context:
                yield context
        finally:
            SparkContext._gateway = SparkContext._jvm = None


def has_gateway() -> bool:
    """Whether this process has a JVM already, as under spark-submit."""
    return SparkContext._gateway is not None or "PYSPARK_GATEWAY_PORT" in os.environ


def is_local(master: str | None) -> bool:
    """Whether all of Spark is one JVM here; None may be."""
    return master is None or (master.startswith("local") and not master.startswith("local-cluster"))


@contextmanager
def _context(
    master: str | None, settings: Mapping[str, str], gateway: JavaGateway | None, preload: str | None
) -> Iterator[SparkContext]:
    with _own_interrupt_handler():
        try:
            SparkContext._ensure_initialized(gateway=gateway)
            context = SparkContext(conf=_configuration(master, settings, preload, launched=gateway is not None))
        except (Py4JError, PySparkException) as error:
            raise explain(str(error)) from error
    context.pythonExec = _python()
    try:
        yield context
        _let_samples_come(context)
    finally:
        _stop(context)


def _python() -> str:
    """What the workers run on."""
    return os.environ.get("PYSPARK_PYTHON", sys.executable)


def _stop(context: SparkContext) -> None:
    """Stop it without the second that pyspark waits for a thread of its own, which has nothing left to do then."""
    server, context._accumulatorServer = context._accumulatorServer, None
    server.handle_error = lambda *_: None  # the JVM's end of its connection may close first
    server.server_shutdown = True
    threading.Thread(target=server.shutdown, name="end of accumulators", daemon=True).start()
    context.stop()


def cancel(context: SparkContext, group: str, thread: threading.Thread) -> None:
    """Cancel the jobs of `group` until the `thread` that waits for them has ended: one that had not reached Spark yet
    cannot be cancelled."""
    give_up = time.monotonic() + _CANCEL_TIMEOUT_S
    while thread.is_alive() and time.monotonic() < give_up:
        context.cancelJobGroup(group)
        thread.join(_POLL_S)


def _let_samples_come(context: SparkContext) -> None:
    """Stopping kills the workers at once, and what they have sampled since their last partition ended with them."""
    if context.getConf().contains(f"spark.executorEnv.{SAMPLES_VARIABLE}") or os.environ.get(SAMPLES_VARIABLE):
        time.sleep(LAST_SAMPLES_S)


def _configuration(
    master: str | None, settings: Mapping[str, str], preload: str | None, *, launched: bool
) -> SparkConf:
    conf = SparkConf()
    if master is not None:
        conf.setMaster(master)
    if launched:  # spark-submit fills in local[*] and a name of its own where nobody set any
        conf.setMaster(with_retries(conf.get("spark.master", "local[*]")))
        conf.setAppName("shardmill")
        conf.set("spark.ui.showConsoleProgress", "false")
    for key, value in settings.items():
        conf.set(key, value)
    local = is_local(conf.get("spark.master", "local[*]"))
    defaults = dict(DEFAULTS)
    if local:
        defaults |= _LOCAL_ONLY
        if _python() == sys.executable:
            defaults["spark.python.daemon.module"] = _DAEMON
            if preload is not None:
                variables = {PRELOAD_VARIABLE: preload, **CHILD_ENVIRONMENT}
                defaults |= {f"spark.executorEnv.{name}": value for name, value in variables.items()}
    elif not conf.contains("spark.executor.memory"):
        defaults |= _CLUSTER_ONLY
    for key, value in defaults.items():
        conf.setIfMissing(key, value)
    return conf


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
