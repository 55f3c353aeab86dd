from __future__ import annotations

import pytest

from shardmill.engines.spark_errors import explain
from shardmill.errors import ResumableError, UsageError

STAGE_FAILURE = (
    "An error occurred while calling z:org.apache.spark.api.python.PythonRDD.collectAndServe.\n"
    ": org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times, "
    "most recent failure: Lost task 0.3 in stage 0.0 (TID 3) (10.0.0.7 executor 2): "
)
JAVA_FRAMES = (
    "\n\tat org.apache.spark.scheduler.Task.run(Task.scala:141)\nCaused by: java.io.EOFException\n\t... 32 more\n"
)
PYTHON_FRAMES = 'org.apache.spark.api.python.PythonException: Traceback (most recent call last):\n  File "worker.py", line 1\n    x()\n'


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        (
            f"{STAGE_FAILURE}org.apache.spark.SparkException: Python worker exited unexpectedly (crashed): {JAVA_FRAMES}",
            ResumableError,
            ("Spark gave up: Python worker exited unexpectedly (crashed) (4 attempts, the last on 10.0.0.7); "
            "the same command continues where it stopped"),
        ),
        (
            (f"{STAGE_FAILURE}ExecutorLostFailure (executor 2 exited caused by one of the running tasks) Reason: "
            f"Command exited with code 137\nDriver stacktrace:{JAVA_FRAMES}"),
            ResumableError,
            ("Spark gave up: ExecutorLostFailure (executor 2 exited caused by one of the running tasks) Reason: "
            "Command exited with code 137 (4 attempts, the last on 10.0.0.7); the same command continues where it stopped"),
        ),
        (
            f"{STAGE_FAILURE}{PYTHON_FRAMES}TypeError: cannot pickle '_thread.lock' object\n\n{JAVA_FRAMES}",
            ResumableError,
            ("Spark gave up: TypeError: cannot pickle '_thread.lock' object (4 attempts, the last on 10.0.0.7); "
            "the same command continues where it stopped"),
        ),
        (
            (f"An error occurred while calling o1.x.\n: org.apache.spark.SparkException: Job 0 cancelled because "
            f"SparkContext was shut down{JAVA_FRAMES}"),
            ResumableError,
            "Spark gave up: Job 0 cancelled because SparkContext was shut down; the same command continues where it stopped",
        ),
        (
            f"{STAGE_FAILURE}{PYTHON_FRAMES}pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] "
            "Python in worker has different version (3, 9) than that in driver 3.11, PySpark cannot run.\n" + JAVA_FRAMES,
            UsageError,
            ("the executors run Python 3.9 and the driver 3.11; set PYSPARK_PYTHON to a Python of the driver's minor version "
            "on every machine"),
        ),
        (
            f"{STAGE_FAILURE}{PYTHON_FRAMES}pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] "
            "Python in worker has different version: 3.12 than that in driver: 3.11, PySpark cannot run.\n" + JAVA_FRAMES,
            UsageError,
            ("the executors run Python 3.12 and the driver 3.11; set PYSPARK_PYTHON to a Python of the driver's minor version "
            "on every machine"),
        ),
        ("", ResumableError, "Spark gave up: it gave no reason; the same command continues where it stopped"),
    ],
    ids=["crash", "lost executor", "unpicklable", "stopped", "python 3.5", "python 4.x", "silence"],
)  # fmt: skip
def test_texts_become_one_sentence(text: str, kind: type[Exception], sentence: str) -> None:
    error = explain(text)
    assert type(error) is kind
    assert str(error) == sentence
