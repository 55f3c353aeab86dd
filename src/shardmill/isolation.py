"""Runs functions in a child process that may die, so that a decoder that crashes, hangs or eats memory costs one image.

Each worker thread owns one child. The child answers one call at a time over a socket, notes in shared memory how far it
is, and ends when its parent does, `kill -9` included, because the pipe between them closes.
"""

from __future__ import annotations

import faulthandler
import gc
import mmap
import os
import pickle
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil

from shardmill.units import in_range, parse_bytes

T = TypeVar("T")
R = TypeVar("R")

_POLL_S: Final = 0.2
_LEAST_MEMORY: Final = 64_000_000
_LEAST_TIMEOUT_S: Final = 1
# glibc gives large blocks back to the kernel at once and faults them in again for the next image: measured here, that is
# a fifth of the time an image takes. Bounded, so that memory stays bounded.
CHILD_ENVIRONMENT: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "MALLOC_TOP_PAD_": str(8 << 20),
    "OMP_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
}


class Journal:
    """How far a child is, in memory that its parent sees.

    Items are numbered by the caller, ascending. `taken` is the number behind the last item handed to the dangerous code,
    `done` the number behind the last that came back from it; `busy` is true while such code runs; `total` counts the items
    of all calls.
    """

    _LAYOUT: Final = struct.Struct("=qqqq")

    def __init__(self, memory: mmap.mmap | bytearray, total: int = 0) -> None:
        self._memory = memory
        self.taken = self.done = 0
        self.total = total

    def reset(self) -> None:
        self.taken = self.done = 0
        self._write(busy=False)

    def take(self, number: int) -> None:
        """Item `number` is about to enter the dangerous code."""
        self.taken = number + 1
        self._write(busy=True)

    def finish(self, number: int) -> None:
        """Item `number` has come out of it, as have all before it."""
        self.done = number + 1
        self.total += 1
        self._write(busy=self.done < self.taken)

    def pause(self) -> None:
        """The next item is being read, which may be slow; no time counts unless others are in the dangerous code."""
        self._write(busy=self.done < self.taken)

    def _write(self, busy: bool) -> None:
        self._LAYOUT.pack_into(self._memory, 0, self.taken, self.done, self.total, busy)

    @classmethod
    def snapshot(cls, memory: mmap.mmap | bytearray) -> tuple[int, int, int, bool]:
        """`(taken, done, total, busy)` as last written."""
        taken, done, total, busy = cls._LAYOUT.unpack_from(memory, 0)
        return taken, done, total, bool(busy)


class ChildDiedError(Exception):
    """The child ended before it answered. Never leaves the package: the caller decides what the death means.

    `reason` is `crashed`, `timed_out` or `out_of_memory`; `cause` says the same to people.
    """

    def __init__(self, reason: str, cause: str, taken: int, done: int, stderr: str) -> None:
        super().__init__(reason, cause, taken, done, stderr)
        self.reason, self.cause, self.taken, self.done, self.stderr = reason, cause, taken, done, stderr

    def __str__(self) -> str:
        return f"{self.cause}\n{self.stderr}".strip()


class StoppedError(Exception):
    """The child was told to stop."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a child is given up."""

    item_timeout_s: float = 60.0
    """Seconds without progress while dangerous code runs."""
    memory_bytes: int = 4 << 30
    """Resident memory of the child."""


def parse_limits(image_timeout: float, worker_memory: str) -> Limits:
    """The limits that the flags of these names ask for.

    Raises:
        UsageError: one of them leaves no room to work in.
    """
    memory_bytes = in_range("--worker-memory", parse_bytes(worker_memory), _LEAST_MEMORY)
    return Limits(in_range("--image-timeout", image_timeout, _LEAST_TIMEOUT_S), memory_bytes)


class Child:
    """A child process, started when first called and again after each death. Belongs to one thread.

    Args:
        environment: variables to set in the child; None: those that make a decoder's allocations cheap.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = CHILD_ENVIRONMENT if environment is None else environment
        self._process: subprocess.Popen[bytes] | _Forked | None = None
        self._connection: Connection | None = None
        self._life: int | None = None
        self._stopped = False
        self._journal_file = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as this object
        self._journal_file.truncate(mmap.PAGESIZE)
        self._memory = mmap.mmap(self._journal_file.fileno(), mmap.PAGESIZE)
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115

    def call(self, function: Callable[[T], R], argument: T, limits: Limits | None = None) -> R:
        """`function(argument)`, run in the child; `function` is importable by name, everything pickles.

        Raises:
            ChildDiedError: the child crashed, or was killed for passing `limits`.
            StoppedError: `stop` was called.
            Exception: whatever `function` raised.
        """
        limits = limits or Limits()
        if self._process is None:
            self._start()
        assert self._connection is not None
        Journal(self._memory, self.items_done()).reset()  # what the child before this one left must not be read as news
        try:
            self._connection.send_bytes(pickle.dumps((function, argument), protocol=pickle.HIGHEST_PROTOCOL))
            self._await_answer(limits)
            succeeded, answer = pickle.loads(self._connection.recv_bytes())  # our own child wrote it
        except (EOFError, OSError) as error:
            raise self._death("crashed") from error
        if succeeded:
            result: R = answer
            return result
        raise answer

    def _await_answer(self, limits: Limits) -> None:
        assert self._connection is not None
        assert self._process is not None
        process = psutil.Process(self._process.pid)
        last, since = None, time.monotonic()
        while not self._connection.poll(_POLL_S):
            now, state = time.monotonic(), Journal.snapshot(self._memory)
            if state != last or not state[3]:
                last, since = state, now
            elif now - since > limits.item_timeout_s:
                raise self._death("timed_out", f"took more than {limits.item_timeout_s:g} s")
            try:
                resident = process.memory_info().rss
            except psutil.NoSuchProcess:
                return  # the connection tells
            if resident > limits.memory_bytes:
                raise self._death("out_of_memory", f"needed more than {limits.memory_bytes >> 20} MB of memory")

    def _death(self, reason: str, cause: str | None = None) -> Exception:
        """Kill what is left and say what happened; without a `cause` the child died by itself."""
        assert self._process is not None
        if cause is not None:
            self._process.kill()
        code = self._process.wait()
        taken, done, _, _ = Journal.snapshot(self._memory)
        self._stderr.seek(0)
        stderr = self._stderr.read()[-2000:].decode(errors="replace").strip()
        self._close()
        if self._stopped:
            return StoppedError()
        how = signal.Signals(-code).name if code < 0 else f"exit {code}"
        return ChildDiedError(reason, cause or f"crashed the decoder ({how})", taken, done, stderr)

    def items_done(self) -> int:
        """Items finished since the child's first start."""
        return Journal.snapshot(self._memory)[2]

    def stop(self) -> None:
        """End the child now, whatever it does. Callable from any thread; further calls raise `StoppedError`."""
        self._stopped = True
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the child and free what it holds; it cannot be called again."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._close()
        self._journal_file.close()
        self._stderr.close()

    def _start(self) -> None:
        if self._stopped:
            raise StoppedError
        ours, theirs = Pipe()
        life_read, life_write = os.pipe()
        self._stderr.seek(0)
        self._stderr.truncate()
        descriptors = (theirs.fileno(), self._journal_file.fileno(), life_read)
        if _may_fork() and self._environment is CHILD_ENVIRONMENT:
            self._process = _Forked(descriptors, self._stderr.fileno())
        else:
            self._process = self._spawned(descriptors)
        theirs.close()
        os.close(life_read)
        self._connection, self._life = ours, life_write
        if self._stopped:  # told to between the check above and here
            self._process.kill()

    def _spawned(self, descriptors: tuple[int, int, int]) -> subprocess.Popen[bytes]:
        program = f"from shardmill.isolation import serve; serve{descriptors}"
        environment = {**os.environ, **self._environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return subprocess.Popen(
            [sys.executable, "-P", "-c", program],
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            env=environment,
        )

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._life is not None:
            os.close(self._life)
        self._process = self._connection = self._life = None


class _Forked:
    """A child that has, from its first moment, all that this process has imported."""

    def __init__(self, descriptors: tuple[int, int, int], stderr: int) -> None:
        self._code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _leave_parent(descriptors, stderr)
                serve(*descriptors)
                os._exit(0)
            except BaseException:  # noqa: BLE001  # nothing of the parent's may go on here
                traceback.print_exc()
            finally:
                os._exit(1)

    def kill(self) -> None:
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code


def _leave_parent(kept: tuple[int, int, int], stderr: int) -> None:
    """Close what is the parent's, whose other end must see it close when the parent does."""
    global _owned
    gc.freeze()  # what the parent has left to collect may hold descriptors, whose numbers are others' here
    _owned = threading.local()
    sys.path[:] = filter(None, sys.path)
    faulthandler.disable()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for target, source in enumerate((nowhere, nowhere, stderr)):
        os.dup2(source, target)
    # In their places the parent may have put something else.
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    for descriptor in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor not in kept:
            with suppress(OSError):  # that of the listing is closed already
                os.close(descriptor)


_forks = False


def fork_children() -> None:
    """From now on, fork the children of this process, and of those forked from it, instead of starting Python anew.

    It must have been started with `CHILD_ENVIRONMENT`, and not have run what starts threads; where there are any, or no
    way to see them, children are started as ever.
    """
    global _forks
    _forks = True


def _may_fork() -> bool:
    tasks = Path("/proc/self/task")
    return _forks and tasks.is_dir() and len(list(tasks.iterdir())) == 1


_owned = threading.local()
_journal = Journal(bytearray(mmap.PAGESIZE))


def journal() -> Journal:
    """The journal of this process: shared with the parent in a child, private elsewhere."""
    return _journal


def adopt(child: Child) -> None:
    """Make `child` the one that this thread calls."""
    _owned.child = child


def call(function: Callable[[T], R], argument: T, limits: Limits | None = None) -> R:
    """`Child.call` on this thread's own child, which is made when first needed."""
    child: Child | None = getattr(_owned, "child", None)
    if child is None:
        child = _owned.child = Child()
    return child.call(function, argument, limits)


def serve(connection_fd: int, journal_fd: int, life_fd: int) -> None:
    """The child's main loop: answer calls until the parent goes away."""
    global _journal
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what it means
    threading.Thread(target=_end_with_parent, args=(life_fd,), daemon=True).start()
    memory = mmap.mmap(journal_fd, mmap.PAGESIZE)
    shared = Journal(memory, Journal.snapshot(memory)[2])
    _journal = shared
    connection = Connection(connection_fd)
    while True:
        try:
            function, argument = pickle.loads(connection.recv_bytes())  # our own parent wrote it
        except EOFError:
            return
        shared.reset()
        try:
            answer: tuple[bool, Any] = (True, function(argument))
        except Exception as error:  # noqa: BLE001  # it is raised again in the parent
            answer = (False, portable(error))
        connection.send_bytes(pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL))


def portable(error: Exception) -> Exception:
    """`error`, or where its class does not survive pickling one that tells the same; with its traceback as a note."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  # an exception class may fail to pickle in any way it likes
        stand_in = RuntimeError(f"{type(error).__name__}: {error}")
        stand_in.__notes__ = error.__notes__
        return stand_in
    return error


def _end_with_parent(life_fd: int) -> None:
    os.read(life_fd, 1)
    os._exit(1)
