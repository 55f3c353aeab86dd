"""Runs tasks on Apache Spark: any master, an existing session if there is one."""

from __future__ import annotations

import logging
import pickle
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise
from typing import Any, Final, TypeVar

from py4j.protocol import Py4JError
from pyspark import RDD, InheritableThread, SparkContext, StorageLevel
from pyspark.accumulators import Accumulator, AccumulatorParam
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from shardmill import __version__
from shardmill.engines.spark_ahead import ContextAhead
from shardmill.engines.spark_errors import explain
from shardmill.engines.spark_session import cancel, has_gateway, own_context, with_retries
from shardmill.errors import UsageError
from shardmill.isolation import portable
from shardmill.sampling import sampled

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")

_log = logging.getLogger(__name__)

MAX_PARTITIONS: Final = 4096
"""Default limit of tasks: finer only costs the scheduler, for an item takes seconds to minutes."""

_POLL_S: Final = 0.5
_IDLE_WARNING_S = 30.0
_IDLE_WARNING: Final = (
    "no executor of %s has taken a task for %.0f s: it has no free worker, or none with the memory and cores asked for"
)


@dataclass
class SparkEngine:
    """Runs `work` in Spark's Python workers.

    The session given, else one that is active in this process, is used and left running; without one a context is
    started for each `run` and stopped after it. Results are those that the one collecting job returns, which Spark
    counts once per partition however often a task was repeated or speculated, and they come when the job has ended.
    What `work` raises is not repeated: it comes home at once. A worker that is lost or crashes is repeated by Spark.
    """

    master: str | None = None
    """`local[4]`, `spark://host:7077`, `yarn` ...; None: the session's, or what Spark is configured for, or all cores
    here. Failed tasks are repeated on local masters too."""
    partitions: int | None = None
    """Tasks to cut the items into; None: one an item, up to `MAX_PARTITIONS`. Changes speed, never results."""
    session: SparkSession | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    """Spark settings for a context of our own, over its configuration files and over our defaults."""
    on_progress: Callable[[int], None] | None = None
    """Called in the caller's thread with the number of items done, for display only: it counts whole partitions."""

    _facts: dict[str, str | int] = field(default_factory=dict, init=False, repr=False)
    _ahead: ContextAhead | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.partitions is not None and self.partitions < 1:
            raise UsageError(f"{self.partitions} partitions are too few; give 1 or more")

    def run(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """See `Engine.run`.

        Raises:
            UsageError: no usable Java, a session without RDDs, or executors without this Python or shardmill.
            ResumableError: Spark gave the job up.
        """
        if not items:
            return
        with self.context() as context:
            yield from self._run_job(context, work, items, _forget)[0]

    def run_cached(self, work: Callable[[T], R], items: Sequence[T], then: Callable[[RDD[R]], S]) -> tuple[list[R], S]:
        """The results, and what `then` makes of the RDD of them where they are: kept there, so that no action of
        `then` does any of the work again. `items` must not be empty; errors are those of `run`."""
        with self.context() as context:
            return self._run_job(context, work, items, then)

    def describe(self) -> dict[str, str | int]:
        """Master, versions and partitions of the last run."""
        return {"engine": "spark"} | self._facts

    @contextmanager
    def ahead(self, first: Callable[[], object]) -> Iterator[None]:
        """See `StartsAhead.ahead`. Without effect where there is a session, or a JVM, already."""
        if self.session is not None or SparkContext._active_spark_context is not None or has_gateway():
            yield
            return
        self._ahead = ContextAhead(self.master, self.settings, first)
        try:
            yield
        finally:
            self._ahead.close()
            self._ahead = None

    def context(self) -> AbstractContextManager[SparkContext]:
        """The context that `run` uses: within the block, all runs share it."""
        if self._ahead is not None:
            return nullcontext(self._ahead.get())
        active = self.session or SparkSession.getActiveSession()
        context = SparkContext._active_spark_context if active is None else _context_of(active)
        if context is None:
            return own_context(self.master, self.settings)
        if self.master is not None and context.master not in (self.master, with_retries(self.master)):
            raise UsageError(
                f"a Spark session on {context.master} is already running here; leave the master {self.master} out to use it"
            )
        return nullcontext(context)

    def _run_job(
        self,
        context: SparkContext,
        work: Callable[[T], R],
        items: Sequence[T],
        then: Callable[[RDD[R]], S],
    ) -> tuple[list[R], S]:
        partitions = min(self.partitions or MAX_PARTITIONS, len(items))
        self._facts = {
            "master": context.master,
            "spark": context.version,
            "java": context._jvm.java.lang.System.getProperty("java.version"),
            "partitions": partitions,
        }
        group = f"shardmill-{uuid.uuid4().hex}"
        # Tells of an error before the job ends, so that it can be stopped; what is counted comes from the results.
        alarm = context.accumulator(None, _FirstRaised())
        on_partition = partial(_run_partition, work, __version__, alarm)
        job: Future[tuple[list[Any], S | None]] = Future()

        def collect() -> None:
            try:
                context.setJobGroup(group, f"shardmill: {len(items)} items")
                rdd = context.parallelize(_dealt(items, partitions), partitions).mapPartitionsWithIndex(on_partition)
                job.set_result(_collected(rdd, then))
            except BaseException as error:  # noqa: BLE001 it is raised again by the thread that waits
                job.set_exception(error)

        thread = InheritableThread(target=collect, name=group, daemon=True)
        thread.start()
        try:
            idle_since: float | None = time.monotonic()
            while not wait([job], timeout=_POLL_S).done and alarm.value is None:
                active, completed = _task_counts(context, group)
                if active or completed:
                    idle_since = None
                elif idle_since is not None and time.monotonic() - idle_since > _IDLE_WARNING_S:
                    _log.warning(_IDLE_WARNING, context.master, _IDLE_WARNING_S)
                    idle_since = None
                if self.on_progress is not None:
                    self.on_progress(min(completed * len(items) // partitions, len(items)))
            if alarm.value is not None:
                raise alarm.value.error()
            results, made = job.result()
            if self.on_progress is not None:
                self.on_progress(len(items))
            for result in results:
                if isinstance(result, _Raised):
                    raise result.error()
            return results, made  # type: ignore[return-value]  # None only with an error among the results
        except (Py4JError, PySparkException, ConnectionError, EOFError) as error:
            raise explain(str(error)) from error
        finally:
            cancel(context, group, thread)


def _dealt(items: Sequence[T], partitions: int) -> list[Sequence[T]]:
    """The items of each partition, in order; their numbers differ by at most one. Spark itself would deal out batches."""
    edges = [number * len(items) // partitions for number in range(partitions + 1)]
    return [items[start:stop] for start, stop in pairwise(edges)]


def _forget(rdd: RDD[Any]) -> None:
    """What `run` makes of the RDD."""


def _collected(rdd: RDD[Any], then: Callable[[RDD[Any]], S]) -> tuple[list[Any], S | None]:
    if then is _forget:
        return rdd.collect(), None
    rdd.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        results = rdd.collect()
        failed = any(isinstance(result, _Raised) for result in results)
        return results, None if failed else then(rdd)
    finally:
        rdd.unpersist()


@dataclass(frozen=True, slots=True)
class _Raised:
    """An exception on its way home as a value: raised in a worker, Spark would only repeat the task."""

    pickled: bytes

    @staticmethod
    def of(error: Exception, partition: int) -> _Raised:
        carried = portable(error)
        carried.add_note(f"in partition {partition} on {socket.gethostname()}")
        return _Raised(pickle.dumps(carried))

    def error(self) -> Exception:
        error = pickle.loads(self.pickled)
        assert isinstance(error, Exception)
        return error


class _FirstRaised(AccumulatorParam):  # type: ignore[misc]  # pyspark is untyped here
    def zero(self, value: _Raised | None) -> _Raised | None:
        return value

    def addInPlace(self, first: _Raised | None, second: _Raised | None) -> _Raised | None:  # noqa: N802
        return first or second


def _run_partition(
    work: Callable[[T], R], driver_version: str, alarm: Accumulator[Any], partition: int, dealt: Iterable[Sequence[T]]
) -> Iterator[R | _Raised]:
    """Runs in a Python worker."""
    try:
        if driver_version != __version__:
            raise UsageError(
                f"an executor runs shardmill {__version__} and the driver {driver_version}; install the same on both"
            )
        with sampled():
            for item in chain.from_iterable(dealt):
                yield work(item)
    except Exception as error:  # noqa: BLE001 whatever `work` raises reaches the caller
        raised = _Raised.of(error, partition)
        alarm.add(raised)
        yield raised


def _context_of(session: SparkSession) -> SparkContext:
    try:
        return session.sparkContext
    except (PySparkException, AttributeError) as error:
        raise UsageError(
            "this Spark Connect session cannot run shardmill, which needs RDDs; "
            "start a classic session (no SPARK_REMOTE) or use spark-submit"
        ) from error


def _task_counts(context: SparkContext, group: str) -> tuple[int, int]:
    """Tasks that run and tasks that have succeeded."""
    tracker = context.statusTracker()
    jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group)]
    stages = [tracker.getStageInfo(stage) for job in jobs if job is not None for stage in job.stageIds]
    known = [stage for stage in stages if stage is not None]
    return sum(stage.numActiveTasks for stage in known), sum(stage.numCompletedTasks for stage in known)
