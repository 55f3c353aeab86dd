"""A command of shardmill as a job on a cluster: `job.py RESULT_FOLDER -- prepare SOURCE DEST ...`.

The command's result is published as `result.json` in RESULT_FOLDER: `{"exit_code", "result", "error"}`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import sys
import threading
from collections.abc import Sequence
from typing import IO, Final, cast

from shardmill.cli.main import main
from shardmill.clusters.jobs import RESULT
from shardmill.storage.open import open_store

_TAIL_CHARACTERS: Final = 4000


class _Kept(io.TextIOBase):
    """Passes text on and keeps its end."""

    def __init__(self, target: IO[str]) -> None:
        self._target, self._tail = target, ""

    def write(self, text: str) -> int:
        self._tail = (self._tail + text)[-_TAIL_CHARACTERS:]
        return self._target.write(text)

    def flush(self) -> None:
        self._target.flush()

    def last_line(self) -> str:
        lines = self._tail.strip().splitlines()
        return lines[-1] if lines else ""


def run(result_folder: str, words: Sequence[str]) -> int:
    """Run the command, publish its result, return its exit code."""
    printed, errors = io.StringIO(), _Kept(sys.stderr)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(cast(IO[str], errors)):
        try:
            code = main([*words, "--json"])
        except SystemExit as stop:  # the command line could not be read
            code = stop.code if isinstance(stop.code, int) else 1
    try:
        result = json.loads(printed.getvalue())
    except ValueError:
        result = None
        sys.stdout.write(printed.getvalue())
    answer = {
        "exit_code": code,
        "result": result,
        "error": errors.last_line().removeprefix("shardmill: ") if code else "",
    }
    with open_store(result_folder).publish(RESULT) as file:
        file.write(json.dumps(answer).encode())
    return code


def _end_with_launcher() -> None:
    """spark-submit holds the other end of standard input and never writes: its end is ours, `kill -9` included."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(1)

    if "PYSPARK_GATEWAY_PORT" in os.environ and stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    folder, separator, *command = sys.argv[1:]
    _end_with_launcher()
    sys.exit(run(folder, command))
