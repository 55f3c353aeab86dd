"""The seam behind which the ways of reading sit."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from shardmill.speedtest.material import Material


class Batch(NamedTuple):
    """What a training loop is handed."""

    images: int
    bytes: int
    """Of the encoded images."""
    content: Any
    """Decoded: an array of shape (images, height, width, 3), or a list of such. Else the encoded bytes."""


Begin = Callable[[int], Generator[Batch, None, None]]


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """How to read."""

    parallel_reads: int
    """Shards or files read and decoded at the same time."""
    decode: bool


class Reader(Protocol):
    """Reads one `Material` in batches. Made in the process that uses it, with `(material, options)`.

    `windows` sets up what a training job sets up once and returns a function that begins a window: it yields
    `num_batches` batches of exactly `batch_size` images and reads no image beyond them. Windows of other numbers begin
    at other places; what lies behind the last image is the first. Every window starts afresh: nothing is read ahead
    between windows. Images that cannot be decoded are left out of files, where they are usual, and raise `DamageError`
    in shards, where they must not be. Used from one thread; `close` frees what it holds.
    """

    def windows(self, batch_size: int, num_batches: int) -> Begin: ...

    def close(self) -> None: ...


class ReaderFactory(Protocol):
    """What a row of `registry.READERS` names."""

    def __call__(self, material: Material, options: ReaderOptions) -> Reader: ...
