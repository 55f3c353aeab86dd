"""Processes that end when the process that started them does, `kill -9` included.

As a program, `python -m shardmill.clusters.local.leash COMMAND...` runs COMMAND and ends it, with all it started, when
standard input closes: whoever holds the other end of that pipe holds the leash.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final

import psutil

STOP_TIMEOUT_S: Final = 4.0
"""How long a process may take to end when it is asked to; then it is killed."""

_POLL_S: Final = 0.05
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_libc: Final = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """In a new child, before it becomes another program: die when the thread that started it ends (Linux)."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every process below whose own parent dies, so that none can slip away (Linux)."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap() -> None:
    """Take note of every child that has ended, adopted ones too; who polls one of them later hears that it has."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue


def end_tree(roots: Iterable[psutil.Process], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Ask `roots` to end, kill them after `timeout_s`, and kill everything they started that is left."""
    roots = list(roots)
    below = [child for root in roots for child in _below(root)]
    for root in roots:
        _signal(root, signal.SIGTERM)
    for process in [*_wait(roots, timeout_s), *below]:
        _signal(process, signal.SIGKILL)
    _wait([*roots, *below], timeout_s)


def _wait(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Those that still run after `timeout_s`; the exit codes of our own children are left to whoever waits for them."""
    deadline = time.monotonic() + timeout_s
    while (alive := [each for each in processes if _runs(each)]) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return alive


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def hold(command: Sequence[str]) -> int:
    """Run `command` until it ends or standard input closes; its exit code, or 128 + the signal that ended it."""
    adopt_orphans()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509  # there is one thread yet
    )
    let_go = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: let_go.set())

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        let_go.set()

    threading.Thread(target=watch, daemon=True).start()
    while process.poll() is None and not let_go.wait(_POLL_S):
        continue
    if process.poll() is None:
        end_tree([psutil.Process(process.pid)])
    code = process.wait()
    end_tree(psutil.Process().children(recursive=True), timeout_s=1.0)
    return code if code >= 0 else 128 - code


def closed(descriptor: int) -> bool:
    """Whether the other end of the pipe `descriptor` is gone."""
    ready, _, _ = select.select([descriptor], [], [], 0)
    return bool(ready) and not os.read(descriptor, 1024)


if __name__ == "__main__":
    sys.exit(hold(sys.argv[1:]))
