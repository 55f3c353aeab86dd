"""A context that a thread starts while its user is still busy with something else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

from py4j.protocol import Py4JError
from pyspark import InheritableThread, SparkContext
from pyspark.errors import PySparkException

from shardmill.engines.spark_jvm import Jvm
from shardmill.engines.spark_session import cancel, is_local, own_context

_PATIENCE_S: Final = 5.0
"""For a context that is not wanted any more and half made; it takes about one second."""
_POLL_S: Final = 0.05
_GROUP: Final = "shardmill-first"


class ContextAhead:
    """Starts a context of our own at once; see `own_context`.

    Args:
        first: Called once by each Python worker of a local master, ahead of any task, so that the first is not slow.
            It comes to nothing where it fails: the tasks meet the same trouble, and tell.
    """

    def __init__(self, master: str | None, settings: Mapping[str, str], first: Callable[[], object]) -> None:
        self._jvm = Jvm(local=is_local(master))
        self._started: Future[SparkContext] = Future()
        self._over = threading.Event()
        self._trouble: BaseException | None = None
        module = first.func.__module__ if isinstance(first, partial) else first.__module__
        self._thread = threading.Thread(
            target=self._serve, args=(master, settings, first, module), name="spark ahead", daemon=True
        )
        self._thread.start()

    def get(self) -> SparkContext:
        """Wait for it.

        Raises:
            UsageError: as `own_context`.
        """
        return self._started.result()

    def close(self) -> None:
        """Stop it, wherever it has come to; nothing that was started for it is left.

        Raises: what stopping has raised.
        """
        self._over.set()
        give_up = time.monotonic() + _PATIENCE_S
        while self._thread.is_alive():
            if not self._started.done() and (not self._jvm.reached or time.monotonic() > give_up):
                self._jvm.kill()
            self._thread.join(_POLL_S)
        if self._trouble is not None:
            raise self._trouble

    def _serve(self, master: str | None, settings: Mapping[str, str], first: Callable[[], object], module: str) -> None:
        try:
            with own_context(master, settings, self._jvm, preload=module) as context:
                self._started.set_result(context)
                with _called_in_workers(context, first):
                    self._over.wait()
        except BaseException as error:  # noqa: BLE001  # it is raised again by the thread that waits
            if self._started.done():
                self._trouble = error
            else:
                self._started.set_exception(error)


@contextmanager
def _called_in_workers(context: SparkContext, first: Callable[[], object]) -> Iterator[None]:
    """Call `first` in as many workers as this machine has slots, meanwhile; elsewhere they come one by one and later."""
    if not is_local(context.master):
        yield
        return
    slots = context.defaultParallelism

    def call() -> None:
        with suppress(Py4JError, PySparkException):
            context.setJobGroup(_GROUP, "shardmill: workers start")
            context.parallelize(range(slots), slots).foreachPartition(partial(_call, first))

    thread = InheritableThread(target=call, name=_GROUP, daemon=True)
    thread.start()
    try:
        yield
    finally:
        cancel(context, _GROUP, thread)


def _call(first: Callable[[], object], items: Iterable[int]) -> None:
    """Runs in a Python worker."""
    with suppress(Exception):  # else Spark repeats it; the tasks meet the same trouble, and tell
        first()
