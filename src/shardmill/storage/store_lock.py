"""A lock on a prefix of a bucket: an object that exists while it is held, and is written anew every few seconds."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import psutil

from shardmill.errors import ResumableError, ShardmillError, UsageError
from shardmill.storage.base import UnreadableError
from shardmill.storage.objects import ABSENT, ConditionError, ObjectFacts
from shardmill.storage.settings import StorageSettings

LOCK: Final = "_lock"
BEAT_S: Final = 10.0
SILENCE_S: Final = 60.0
"""A lock that was not written anew for so long, by the store's clock, belongs to nobody."""


class _Lockable(Protocol):
    """What a lock needs of `ObjectStore`."""

    @property
    def root(self) -> str: ...

    @property
    def settings(self) -> StorageSettings: ...

    def read(self, path: str) -> bytes: ...

    def facts(self, path: str) -> ObjectFacts | None: ...

    def put(self, path: str, file: BinaryIO, size: int, md5: bytes, condition: str | None) -> ObjectFacts: ...

    def remove(self, path: str) -> None: ...


@contextmanager
def hold(store: _Lockable) -> Iterator[None]:
    """Hold the lock while the block runs.

    Raises:
        UsageError: another run holds it.
        ResumableError: after the block, where another run took the lock over.
    """
    if not store.settings.conditional:
        yield
        return
    held = _Held(store, uuid.uuid4().hex, _acquire(store))
    over = threading.Event()
    beating = threading.Thread(target=held.beat, args=(over,), name="lock", daemon=True)
    beating.start()
    try:
        yield
    finally:
        over.set()
        beating.join()
        held.release()
    if held.lost:
        raise ResumableError(
            f"another run has taken {store.root} over, since this one was silent for too long. Make sure that no other run "
            "writes there, then run the same command again."
        )


def _acquire(store: _Lockable) -> str:
    """Write the lock, over one that belongs to nobody; its version."""
    condition = ABSENT
    found = store.facts(LOCK)
    if found is not None:
        _refuse_if_alive(store, found)
        condition = found.version
    try:
        return _write(store, uuid.uuid4().hex, condition)
    except ConditionError:
        raise _held_by_another(store, "") from None


def _refuse_if_alive(store: _Lockable, found: ObjectFacts) -> None:
    try:
        owner = json.loads(store.read(LOCK))
        here = owner["host"] == _host()
        alive = here and _runs(int(owner["pid"]), float(owner["since"]))
        name = f" on {owner['name']}" if isinstance(owner["name"], str) else ""
    except (ValueError, KeyError, TypeError, UnreadableError):  # not ours, or just released: time alone decides
        here, alive, name = False, True, ""
    if alive if here else found.age_s is None or found.age_s < SILENCE_S:
        raise _held_by_another(store, name, None if here or found.age_s is None else SILENCE_S - found.age_s)


def _held_by_another(store: _Lockable, name: str, silence_left_s: float | None = None) -> UsageError:
    hint = f" If it died, try again in {silence_left_s:.0f} s." if silence_left_s is not None else ""
    return UsageError(f"another run{name} is writing to {store.root}; wait for it to end or choose another DEST.{hint}")


@dataclass(slots=True)
class _Held:
    """The lock, as long as it is ours."""

    store: _Lockable
    nonce: str
    version: str
    lost: bool = False

    def beat(self, over: threading.Event) -> None:
        while not over.wait(BEAT_S):
            try:
                self.version = _write(self.store, uuid.uuid4().hex, self.version)
            except ConditionError:
                self.lost = True
                return
            except ShardmillError:
                continue  # the store is away: whatever else the run asks of it says so, and the next beat may succeed

    def release(self) -> None:
        """Remove the lock, unless it is another's; one that cannot be removed falls silent."""
        try:
            found = self.store.facts(LOCK)
            if found is not None and found.version == self.version:
                self.store.remove(LOCK)
        except ShardmillError:
            return


def _write(store: _Lockable, nonce: str, condition: str) -> str:
    """Write the lock; its version. A write whose answer was lost and that is repeated meets itself."""
    content = json.dumps({"nonce": nonce, **_owner()}).encode()
    md5 = hashlib.md5(content, usedforsecurity=False)
    try:
        return store.put(LOCK, io.BytesIO(content), len(content), md5.digest(), condition).version
    except ConditionError:
        found = store.facts(LOCK)
        if found is None or found.md5 != md5.hexdigest():
            raise
        return found.version


def _owner() -> dict[str, Any]:
    process = psutil.Process()
    return {"host": _host(), "name": platform.node(), "pid": process.pid, "since": process.create_time()}


def _host() -> str:
    """This machine since it was started, and where process numbers mean the same: containers of one machine differ."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        numbers = os.readlink("/proc/self/ns/pid")  # noqa: PTH115  # the link's text is no path
    except OSError:  # not Linux
        boot = numbers = "?"
    return f"{platform.node()}/{boot}/{numbers}"


def _runs(pid: int, since: float) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - since) < 2.0
    except psutil.NoSuchProcess:
        return False
