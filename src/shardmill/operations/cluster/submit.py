"""`shardmill cluster submit`: a command of shardmill, or a plain Spark application, on a cluster that is there."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

import shardmill
from shardmill.arguments import checked
from shardmill.clusters.base import Job, unheard
from shardmill.clusters.jobs import on_spark
from shardmill.errors import UsageError
from shardmill.operations.cluster.find import find_cluster
from shardmill.operations.cluster.plain import restored


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job on a cluster ended."""

    cluster: str
    job: str
    command: str
    """The command of shardmill; empty for a plain application."""
    state: str
    """`done`, `failed`, `cancelled` or `lost`."""
    exit_code: int | None
    elapsed_s: float
    """Of the driver, on the cluster's clock."""
    result: Any
    """What the command returns here, too: a `PrepareResult` of prepare, and so on. None where it failed."""
    error: str
    event_log: str | None


@checked
def cluster_submit(
    cluster: str,
    *words: str,
    app: str | None = None,
    py_files: Sequence[str] = (),
    conf: Sequence[str] = (),
    timeout: float | None = None,
    provider: str | None = None,
    check_words: Callable[[Sequence[str]], None] | None = None,
    on_output: Callable[[str], None] | None = None,
) -> JobResult:
    """Run a command of shardmill on a cluster, print its driver's output as it comes, and bring its result back.

    Leaving it by Ctrl-C cancels the job.

    Args:
        cluster: Name of the cluster.
        words: The command and its arguments, after `--`; with --app, the arguments of that application.
        app: A PySpark script to run instead, as spark-submit would.
        py_files: A module or archive that the application imports; repeatable.
        conf: A setting of Spark for this job, such as spark.task.maxFailures=1; repeatable.
        timeout: Seconds after which the job is cancelled.
        provider: Where the cluster is: local or dataproc; by default it is looked for everywhere.
        check_words: Called with `words` before anything is sent; raises UsageError where they are wrong.
        on_output: Called with the driver's output, in pieces.

    Returns:
        How it ended, with the command's own result.

    Raises:
        UsageError: no such cluster, or the command is wrong.
        ClusterError: the cluster cannot be reached.
    """
    if app is None and not words:
        raise UsageError("name the command to run after `--`, such as: -- prepare gs://b/photos gs://b/shards")
    if app is None and check_words is not None:
        check_words(words)
    settings = {}
    for setting in conf:
        key, equals, value = setting.partition("=")
        if not (equals and key.startswith("spark.")):
            raise UsageError(f"--conf is {setting!r}; it takes a setting of Spark, such as spark.task.maxFailures=1")
        settings[key] = value
    opened, found = find_cluster(cluster, provider)
    sent = on_spark(words) if app is None else tuple(words)
    job = Job(
        id=f"{words[0] if app is None else 'app'}-{secrets.token_hex(4)}",
        words=sent,
        app=app,
        settings=settings,
        py_files=tuple(py_files),
        timeout_s=timeout,
    )
    outcome = opened.submit(found, job, on_output or unheard)
    result = outcome.result
    if app is None and result is not None:
        result = restored(get_type_hints(getattr(shardmill, words[0]))["return"], result)
    return JobResult(
        cluster=cluster,
        job=job.id,
        command=words[0] if app is None else "",
        state=outcome.state,
        exit_code=outcome.exit_code,
        elapsed_s=outcome.elapsed_s,
        result=result,
        error=outcome.error,
        event_log=outcome.event_log,
    )
