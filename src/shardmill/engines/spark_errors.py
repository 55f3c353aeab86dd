"""What Spark's long error texts mean, in one sentence each."""

from __future__ import annotations

import re
from typing import Final

from shardmill.errors import ResumableError, ShardmillError, UsageError

_MISMATCH: Final = re.compile(
    r"different version:? \(?(?P<worker>[\d., ]+?)\)? than that in driver:? (?P<driver>\d+\.\d+)"
)
_GAVE_UP: Final = re.compile(r"failed (?P<times>\d+) times, most recent failure: (?P<cause>[^\n]*)")
_LOST_TASK: Final = re.compile(r"^Lost task \S+ in stage \S+ \(TID \d+\) \((?P<host>[^ )]*)[^)]*\): ")
_TRACEBACK: Final = re.compile(r"PythonException: Traceback .*?\n(?P<last>\w[^\n]*)", re.DOTALL)
_JAVA_CLASS: Final = re.compile(r"^(?:\w+\.)+\w+(?:Exception|Error): ")


def explain(text: str) -> ShardmillError:
    """The error to raise for what Spark said when it gave up."""
    mismatch = _MISMATCH.search(text)
    if mismatch is not None:
        worker = ".".join(re.findall(r"\d+", mismatch["worker"]))
        return UsageError(
            f"the executors run Python {worker} and the driver {mismatch['driver']}; "
            "set PYSPARK_PYTHON to a Python of the driver's minor version on every machine"
        )
    if "No module named 'shardmill'" in text:
        return UsageError(
            "shardmill is not installed in the Python that the executors run; install the driver's version there, "
            "or set PYSPARK_PYTHON to a Python that has it"
        )
    if "Could not parse Master URL" in text:
        return UsageError("Spark does not know this kind of master; write it like local[4], spark://host:7077 or yarn")
    return ResumableError(f"Spark gave up: {cause_of(text)}; the same command continues where it stopped")


def cause_of(text: str) -> str:
    """The one line of `text` that says what happened, and where and how often it was tried."""
    gave_up, traceback = _GAVE_UP.search(text), _TRACEBACK.search(text)
    if gave_up is None:
        return _clean(_first_line(text))
    lost = _LOST_TASK.match(gave_up["cause"])
    cause = traceback["last"] if traceback is not None else gave_up["cause"][lost.end() if lost is not None else 0 :]
    where = f" on {lost['host']}" if lost is not None else ""
    return f"{_clean(cause)} ({gave_up['times']} attempts, the last{where})"


def _first_line(text: str) -> str:
    """Py4J puts a line of its own and a colon before what Java says."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it gave no reason"]
    return (
        lines[1].removeprefix(": ") if lines[0].startswith("An error occurred while") and len(lines) > 1 else lines[0]
    )


def _clean(line: str) -> str:
    return _JAVA_CLASS.sub("", line).strip(" .:")
