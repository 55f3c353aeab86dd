"""Reads without TensorFlow: our own record reader and decoder, in as many threads as are asked for.

Thread number i of n hands over images i, i + n, i + 2n ... of a window, so that batches are the same however many read.
Decoding and reading release the interpreter's lock; taking records apart does not.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shardmill.errors import DamageError, UsageError
from shardmill.formats.base import Damage
from shardmill.image.base import Refused
from shardmill.image.native import NativeTransform
from shardmill.sources.names import to_path
from shardmill.speedtest.material import FileSet, Material, ShardSet, decode_spec
from shardmill.speedtest.reader import Batch, Begin, ReaderOptions

_AHEAD: Final = 2  # batches that a thread may be ahead of the consumer
_STOP_CHECK_S: Final = 0.1


class _Image(NamedTuple):
    size: int
    content: bytes | NDArray[np.uint8]


class NativeReader:
    """See `Reader`."""

    def __init__(self, material: Material, options: ReaderOptions) -> None:
        self._material, self._options = material, options
        self._lanes = options.parallel_reads
        self._pool = ThreadPoolExecutor(self._lanes, "lane") if self._lanes > 1 else None
        self._transforms = [NativeTransform(decode_spec(material)) for _ in range(self._lanes)]

    def windows(self, batch_size: int, num_batches: int) -> Begin:
        """See `Reader`."""
        return partial(self._window, batch_size, num_batches)

    def close(self) -> None:
        """See `Reader`."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def _window(self, batch_size: int, num_batches: int, number: int) -> Generator[Batch, None, None]:
        images = batch_size * num_batches
        if self._pool is None:
            only = self._lane(number, images, 0)
            for _ in range(num_batches):
                yield _batch([next(only) for _ in range(batch_size)])
            return
        stopped = threading.Event()
        queues: list[_Filled] = [queue.Queue(_AHEAD) for _ in range(self._lanes)]
        tasks = []
        for lane, filled in enumerate(queues):
            shares = _shares(lane, self._lanes, batch_size, num_batches)
            tasks.append(self._pool.submit(_fill, self._lane(number, images, lane), shares, filled, stopped))
        try:
            for number_of_batch in range(num_batches):
                first = number_of_batch * batch_size
                yield _batch(_woven([_taken(filled) for filled in queues], first))
        finally:
            stopped.set()
            for task in tasks:
                task.result()

    def _lane(self, number: int, images: int, lane: int) -> Iterator[_Image]:
        """Images without end: every `self._lanes`-th of window `number`."""
        material = self._material
        if isinstance(material, ShardSet):
            encoded = self._shard_lane(material, number, lane)
        else:
            encoded = self._file_lane(material, number, images, lane)
        if not self._options.decode:
            for image in encoded:
                yield _Image(len(image), image)
            return
        transform = self._transforms[lane]
        refused = 0
        for image in encoded:
            pixels = transform.pixels(image)
            if not isinstance(pixels, Refused):
                refused = 0
                yield _Image(len(image), pixels)
                continue
            refused += 1
            if isinstance(material, ShardSet):
                raise DamageError(f"{material.name} holds an image that does not decode; run shardmill verify on it.")
            if refused >= material.images:
                raise UsageError(f"no file of {material.name} could be decoded ({pixels.detail}).")

    def _file_lane(self, files: FileSet, number: int, images: int, lane: int) -> Iterator[bytes]:
        at = files.first_file(number, images) + lane
        while True:
            yield files.store.read(to_path(files.uris[at % len(files.uris)]))
            at += self._lanes

    def _shard_lane(self, shards: ShardSet, number: int, lane: int) -> Iterator[bytes]:
        at = shards.first_shard(number) + lane
        while True:
            shard = shards.shards[at % len(shards.shards)]
            for record in shards.dataset.records(shard):
                if isinstance(record, Damage):
                    raise DamageError(f"{shards.name}: {shard.name} is damaged; run shardmill verify on it.")
                yield record[1].image
            at += self._lanes


_Filled = queue.Queue[list[_Image] | Exception]


def _fill(lane: Iterator[_Image], shares: Iterator[int], filled: _Filled, stopped: threading.Event) -> None:
    """Put a lane's share of each batch into `filled`, or what went wrong."""
    try:
        for share in shares:
            if not _put(filled, [next(lane) for _ in range(share)], stopped):
                return
    except Exception as error:  # noqa: BLE001  # raised again by the thread that takes
        _put(filled, error, stopped)


def _put(filled: _Filled, item: list[_Image] | Exception, stopped: threading.Event) -> bool:
    """False where nobody will take it any more."""
    while not stopped.is_set():
        try:
            filled.put(item, timeout=_STOP_CHECK_S)
        except queue.Full:
            continue
        return True
    return False


def _taken(filled: _Filled) -> list[_Image]:
    item = filled.get()
    if isinstance(item, Exception):
        raise item
    return item


def _shares(lane: int, lanes: int, batch_size: int, num_batches: int) -> Iterator[int]:
    """How many images of each batch are of this lane: those whose place in the window is `lane` modulo `lanes`."""
    before = 0
    for batch in range(1, num_batches + 1):
        upto = (batch * batch_size + lanes - 1 - lane) // lanes
        yield upto - before
        before = upto


def _woven(shares: list[list[_Image]], first: int) -> list[_Image]:
    """The images of a batch, which begins at place `first` of the window, in the order of their places."""
    lanes = len(shares)
    iterators = [iter(shares[(first + lane) % lanes]) for lane in range(lanes)]
    return [next(iterators[place % lanes]) for place in range(sum(map(len, shares)))]


def _batch(images: list[_Image]) -> Batch:
    contents = [image.content for image in images]
    first = contents[0]
    content: Any = contents
    if isinstance(first, np.ndarray) and all(np.shape(other) == first.shape for other in contents):
        content = np.stack(contents)
    return Batch(len(images), sum(image.size for image in images), content)
