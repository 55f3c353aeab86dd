"""Checks the values of `prepare` that types cannot check."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import cast

from shardmill import registry
from shardmill.engines.base import Engine
from shardmill.errors import UsageError
from shardmill.storage import StorageSettings, UnreadableError, resolve
from shardmill.storage.local import LocalStore


def read_labels(path: str, storage: StorageSettings | None = None) -> tuple[str, ...]:
    """The class names in the file `path`, which may lie in an object store; one a line.

    Raises:
        UsageError: no such text file, or a name stands twice.
    """
    try:
        store, name = resolve(path, LocalStore(str(Path.cwd())), storage)
        names = store.read(name).decode().splitlines()
    except (UnreadableError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the labels file {path}: {error}. It holds one class name a line.") from error
    repeated = sorted({name for name in names if names.count(name) > 1})
    if not names or repeated:
        trouble = f"names {repeated[0]!r} twice" if repeated else "is empty"
        raise UsageError(f"the labels file {path} {trouble}; it holds one class name a line.")
    return tuple(names)


def parse_colour(text: str) -> tuple[int, int, int]:
    """A colour name, `#rrggbb` or `R,G,B` as RGB.

    Raises:
        UsageError: none of these.
    """
    from PIL import ImageColor  # only this flag needs it

    parts = text.split(",")
    try:
        red, green, blue = map(int, parts) if len(parts) == 3 else ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise UsageError(f"--background {text} is not a colour; write white, #808080 or 128,128,128") from error
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise UsageError(f"--background {text} is out of range; each of R,G,B is 0 to 255")
    return red, green, blue


def make_engine(name: str, *, workers: int | None, master: str | None, partitions: int | None) -> Engine:
    """The engine called `name`, set up. One of another package gets those of the options that are given.

    Raises:
        UsageError: there is none, or an option is given that belongs to another engine.
    """
    if name == "local":
        for flag, value in (("--master", master), ("--partitions", partitions)):
            if value is not None:
                raise UsageError(f"{flag} is for --engine spark; add that, or use --workers")
        return cast("Engine", registry.load(registry.ENGINES, "engine", name)(workers=workers))
    if name == "spark":
        if workers is not None:
            raise UsageError(
                "--workers is for --engine local; Spark's parallelism comes from --master and --partitions"
            )
        return cast("Engine", registry.load(registry.ENGINES, "engine", name)(master=master, partitions=partitions))
    factory = registry.load(registry.ENGINES, "engine", name)
    options = {"workers": workers, "master": master, "partitions": partitions}
    given = {option: value for option, value in options.items() if value is not None}
    unknown = sorted(given.keys() - inspect.signature(factory).parameters.keys())
    if unknown:
        raise UsageError(f"--engine {name} has no --{unknown[0]}; leave it out")
    return cast("Engine", factory(**given))
