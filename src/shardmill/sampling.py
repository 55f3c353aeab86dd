"""What a whole machine uses, second by second: noted by a thread in its Spark workers, published for whoever asks later.

One process of a machine samples, however many work there; when it ends, another takes over. Counted is the machine,
whatever else runs on it, as its kernel tells it: in a container too CPU, disks and memory are those of the host, while
the network is the container's own. Bytes over loopback are not counted, nor are those of devices that are made of others
(bridges, RAID, LVM), which would count twice.

Objects `HOST/FIRST-LAST-PID.jsonl` appear under the URL, a line a sample: times in milliseconds since the epoch.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Final

import psutil

from shardmill.storage.open import open_store
from shardmill.storage.settings import StorageSettings

SAMPLES_VARIABLE: Final = "SHARDMILL_SAMPLES"
"""Environment variable of Spark's workers: the URL under which samples appear."""

HOST_VARIABLE: Final = "SHARDMILL_HOST"
"""Environment variable: what this machine is called, where its host name is that of a container."""

LAST_SAMPLES_S: Final = 1.0
"""How long the last samples may take to appear when the last partition has ended."""

_log = logging.getLogger(__name__)

_PATIENT: Final = StorageSettings(timeout_s=10.0)
_POLL_S: Final = 0.25
_MOST_KEPT: Final = 3600
"""Samples that wait for a store that does not answer; the oldest go first."""


@dataclass(frozen=True, slots=True)
class HostSample:
    """What one machine used in one stretch of time. None means that it does not tell."""

    host: str
    start: float
    """Seconds since the epoch."""
    seconds: float
    """Length of the stretch."""
    cores: int
    """That the machine has; this process may be allowed fewer."""
    cpu_s: float
    """Core-seconds used, by whomever: user, system and interrupts."""
    network_in_bytes: int | None
    network_out_bytes: int | None
    disk_read_bytes: int | None
    disk_write_bytes: int | None
    memory_bytes: int
    """In use at the end of the stretch, without what the kernel can free at once."""


@dataclass(frozen=True, slots=True)
class _Counters:
    """Since the machine's start."""

    cpu_s: float
    network: tuple[int, int] | None
    disk: tuple[int, int] | None


class HostMeter:
    """Tells what this machine has used since it was asked before."""

    def __init__(self) -> None:
        self._host = os.environ.get(HOST_VARIABLE) or socket.gethostname()
        self._cores = psutil.cpu_count() or 1
        self._at, self._began, self._before = time.time(), time.monotonic(), _count()

    def look(self) -> HostSample:
        """The stretch since the last look, or since the meter was made."""
        at, now, counters = time.time(), time.monotonic(), _count()
        received, sent = _difference(counters.network, self._before.network)
        read, written = _difference(counters.disk, self._before.disk)
        memory = psutil.virtual_memory()
        sample = HostSample(
            host=self._host,
            start=self._at,
            seconds=now - self._began,
            cores=self._cores,
            cpu_s=max(counters.cpu_s - self._before.cpu_s, 0.0),
            network_in_bytes=received,
            network_out_bytes=sent,
            disk_read_bytes=read,
            disk_write_bytes=written,
            memory_bytes=memory.total - memory.available,
        )
        self._at, self._began, self._before = at, now, counters
        return sample


class Sampler:
    """Samples this machine from a thread, unless another process does so for the same URL.

    Nothing that fails in it reaches its caller: the first failure is told in the log, and samples that could not be
    published are published with the next ones.

    Args:
        url: Where samples appear.
        lock: The file whose lock the one that samples holds; None: one in the folder for temporary files, where it stays.
        beat_s: Length of a sample, in seconds.
        publish_s: How often samples are published.
        spacing_s: How often at most, when partitions end before that.
    """

    def __init__(
        self,
        url: str,
        lock: Path | None = None,
        *,
        beat_s: float = 1.0,
        publish_s: float = 10.0,
        spacing_s: float = 0.5,
    ) -> None:
        self._url, self._lock = url, _lock_for(url) if lock is None else lock
        self._beat_s, self._publish_s, self._spacing_s = beat_s, publish_s, spacing_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shardmill-sampler", daemon=True)
        self._told = False

    def start(self) -> None:
        """Begin. The one that samples meets its store here and now, before the partition's work holds the interpreter:
        a busy loop in Python gives it up to another thread so rarely that the imports alone would take that many seconds.
        """
        try:
            # A lock of POSIX belongs to the process: a child that outlives it does not keep it, as one of BSD would be.
            self._descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            if self._is_mine():
                self._meet_store()
            self._thread.start()
        except OSError as error:
            self._tell(error)
        except RuntimeError as error:  # no more threads
            os.close(self._descriptor)
            self._tell(error)

    def partition_ended(self) -> None:
        """Have the one that samples publish soon, whichever process it is: nothing may be left to wait for."""
        with suppress(OSError):  # without that file nobody samples, which was told
            os.utime(self._lock)

    def stop(self) -> None:
        """Publish what there is, and let another process take over."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _is_mine(self) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # another process has it; POSIX allows either
            return False
        return True

    def _meet_store(self) -> None:
        try:
            open_store(self._url, _PATIENT).size("")
        except Exception as error:  # noqa: BLE001  # a job never fails for want of samples
            self._tell(error)

    def _run(self) -> None:
        try:
            while not self._is_mine():
                if self._stopped.wait(self._beat_s):
                    return
            self._sample()
        except Exception as error:  # noqa: BLE001  # as above
            self._tell(error)
        finally:
            os.close(self._descriptor)

    def _sample(self) -> None:
        meter, kept = HostMeter(), list[HostSample]()
        looked = published = time.monotonic()
        ended = os.fstat(self._descriptor).st_mtime_ns
        while not self._stopped.is_set():
            self._stopped.wait(_POLL_S)
            now, last_end = time.monotonic(), os.fstat(self._descriptor).st_mtime_ns
            due = now - published >= (self._publish_s if last_end == ended else self._spacing_s)
            due = due or self._stopped.is_set()
            if due or now - looked >= self._beat_s - _POLL_S / 2:
                kept.append(meter.look())
                looked = now
            if due:
                ended, published = last_end, now
                kept = [] if self._published(kept) else kept[-_MOST_KEPT:]

    def _published(self, samples: list[HostSample]) -> bool:
        first, last = (round(moment * 1000) for moment in (samples[0].start, samples[-1].start + samples[-1].seconds))
        name = f"{samples[0].host}/{first}-{last}-{os.getpid()}.jsonl"
        try:
            with open_store(self._url, _PATIENT).publish(name) as file:
                file.write("".join(json.dumps(asdict(sample)) + "\n" for sample in samples).encode())
        except Exception as error:  # noqa: BLE001
            self._tell(error)
            return False
        return True

    def _tell(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            _warn(self._url, error)


_samplers: dict[tuple[int, str], Sampler | None] = {}
"""By process, for a forked child has no threads, and URL; None for one that could not be started."""


@contextmanager
def sampled() -> Iterator[None]:
    """Sample this machine if `SHARDMILL_SAMPLES` says where to, on behalf of a partition that is worked on meanwhile.

    The thread goes on when the partition has ended, as Spark's reused workers do.
    """
    url = os.environ.get(SAMPLES_VARIABLE)
    if not url:
        yield
        return
    key = os.getpid(), url
    if key not in _samplers:
        _samplers[key] = _started(url)
    sampler = _samplers[key]
    try:
        yield
    finally:
        if sampler is not None:
            sampler.partition_ended()


def _started(url: str) -> Sampler | None:
    try:
        sampler = Sampler(url)
    except OSError as error:  # no folder for temporary files
        _warn(url, error)
        return None
    sampler.start()
    return sampler


def _warn(url: str, error: Exception) -> None:
    _log.warning("what this machine uses is not told under %s: %s", url, error)


def _lock_for(url: str) -> Path:
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"shardmill-sampler-{os.getuid()}-{digest}")


def _count() -> _Counters:
    times = psutil.cpu_times()
    busy = sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))
    return _Counters(busy, _network(), _disk())


def _difference(after: tuple[int, int] | None, before: tuple[int, int] | None) -> tuple[int, int] | tuple[None, None]:
    """A device that went away takes its count along: such a stretch counts as nothing, not as less than that."""
    if after is None or before is None:
        return None, None
    return max(after[0] - before[0], 0), max(after[1] - before[1], 0)


@cache
def _is_device(kind: str, name: str) -> bool:
    """Whether it is one of its own, not made of others or of memory."""
    return Path("/sys/class", kind, name, "device").exists()


def _network() -> tuple[int, int] | None:
    cards = {name: card for name, card in psutil.net_io_counters(pernic=True, nowrap=False).items() if name != "lo"}
    real = {name: card for name, card in cards.items() if _is_device("net", name)}
    counted = real or cards  # a container has none of its own
    if not counted:
        return None
    return sum(card.bytes_recv for card in counted.values()), sum(card.bytes_sent for card in counted.values())


def _disk() -> tuple[int, int] | None:
    try:
        disks = psutil.disk_io_counters(perdisk=True, nowrap=False)
    except NotImplementedError:
        return None
    counted = [disk for name, disk in (disks or {}).items() if _is_device("block", name)]
    if not counted:
        return None
    return sum(disk.read_bytes for disk in counted), sum(disk.write_bytes for disk in counted)
