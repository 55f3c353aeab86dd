"""The page cache: how files get into it and out of it, and how many bytes came from the device nevertheless.

Linux counts the bytes that a process made the block layer fetch in `/proc/self/io`, `read_bytes`: for all of its threads,
read-ahead and page faults of mapped files included (seen on ext4), and not for its children. Pages that are dirty or
mapped by anyone stay where they are when they are to be dropped, and a virtual machine's host has a cache of its own that
no guest can clear; so a pass counts as cold only by the bytes that it made the device deliver.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import psutil

from shardmill.speedtest.measure import Usage

_CHUNK: Final = 1 << 20
_IO: Final = Path("/proc/self/io")
_MOUNTS: Final = Path("/proc/self/mountinfo")
_UNCOUNTED: Final = ("fuse", "9p", "virtiofs", "ceph", "lustre")
"""File systems that fetch by ways of their own, past that count."""


def drop_from_cache(paths: Iterable[str]) -> None:
    """Ask the kernel to forget the cached pages of the files, after writing back what is dirty. Needs no privileges."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def bring_into_cache(paths: Iterable[str], most_bytes: int) -> None:
    """Read the files once, as far as `most_bytes` in all."""
    buffer = bytearray(_CHUNK)
    for path in paths:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # many and small
            while most_bytes > 0 and (count := file.readinto(buffer)):
                most_bytes -= count
        if most_bytes <= 0:
            return


def usage_meter(path: str | None) -> Callable[[], Usage]:
    """What tells the usage of this process while it reads files like the one at `path`; None: from the network.

    Bytes from the network are those that the whole machine received, since nobody counts them by process.
    """
    if path is None:
        return lambda: Usage(time.process_time(), psutil.net_io_counters().bytes_recv)
    if not _counted(path):
        return lambda: Usage(time.process_time(), None)
    return lambda: Usage(time.process_time(), _read_bytes())


def _read_bytes() -> int:
    with open(_IO, "rb") as file:  # noqa: PTH123  # before and after each window
        for line in file:
            if line.startswith(b"read_bytes:"):
                return int(line[11:])
    raise AssertionError("the kernel that counts once always counts")


def _counted(path: str) -> bool:
    """True where the bytes that the device under `path` delivers are counted for the process that asked."""
    try:
        _read_bytes()
        return not _file_system(path).startswith(_UNCOUNTED)
    except (OSError, AssertionError, StopIteration):  # not Linux, or a kernel built or run without these files
        return False


def _file_system(path: str) -> str:
    """Its type, such as `ext4` or `fuse.gcsfuse`."""
    device = os.stat(path).st_dev  # noqa: PTH116
    wanted = f"{os.major(device)}:{os.minor(device)}"
    lines = (line.split() for line in _MOUNTS.read_text().splitlines())
    return next(words[words.index("-") + 1] for words in lines if words[2] == wanted)
