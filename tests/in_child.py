"""What the children of `isolation` are asked to do in tests; imports little, since each child imports it anew."""

from __future__ import annotations

import os
import signal
import sys
import time

from shardmill import isolation
from shardmill.errors import DamageError


class OddError(Exception):
    """Pickles, and does not unpickle: it is made from two values and hands on one."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)
        self.two = two


def double(number: int) -> int:
    return 2 * number


def pid(_: object) -> int:
    return os.getpid()


def reverse(data: bytes) -> bytes:
    return data[::-1]


def raise_(error: Exception) -> None:
    raise error


def raise_damage(_: object) -> None:
    raise DamageError("it is damaged; look at it")


def raise_odd(_: object) -> None:
    raise OddError("one", "two")


def unpicklable(_: object) -> object:
    return lambda: None


def read_environment(name: str) -> str | None:
    return os.environ.get(name)


def found_modules(names: list[str]) -> list[str | None]:
    return [getattr(__import__(name), "__file__", None) for name in names]


def do_items(count: int) -> int:
    journal = isolation.journal()
    for number in range(count):
        journal.pause()
        journal.take(number)
        journal.finish(number)
    return count


def die_at(item: int) -> None:
    """Finish the items before `item`, take it and the next one, and crash."""
    do_items(item)
    isolation.journal().take(item)
    isolation.journal().take(item + 1)
    os.kill(os.getpid(), signal.SIGSEGV)


def exit_with(code: int) -> None:
    print("last words", file=sys.stderr, flush=True)
    os._exit(code)


def sleep_idle(seconds: float) -> str:
    isolation.journal().pause()
    time.sleep(seconds)
    return "rested"


def sleep_busy(seconds: float) -> None:
    do_items(3)
    isolation.journal().take(3)
    time.sleep(seconds)


def sleep_between_items(seconds: float) -> str:
    journal = isolation.journal()
    for number in range(8):
        journal.take(number)
        time.sleep(seconds)
        journal.finish(number)
    return "done"


def eat(count: int) -> int:
    isolation.journal().take(7)
    hoard = b"x" * count
    time.sleep(60)
    return len(hoard)


def say_and_wait(path: str) -> str:
    """Write our process id to the file `path`, and wait for another file beside it."""
    with open(f"{path}.part", "w") as file:  # noqa: PTH123  # pathlib is one more import
        file.write(str(os.getpid()))
    os.replace(f"{path}.part", path)  # noqa: PTH105
    while not os.path.exists(f"{path}.go"):  # noqa: PTH110
        time.sleep(0.01)
    return "went on"
