"""Batches of pixels, some ahead of whoever consumes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shardmill.loading.decode import Pixels
from shardmill.loading.epochs import EpochLoader, Plan
from shardmill.loading.fetch import Fetcher
from shardmill.loading.order import EpochOrder, Share

_CHUNK: Final = 8
"""Images to a task of a thread: fewer cost more in handing over, more leave threads idle at a batch's end."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some samples, in the order of the epoch."""

    images: Pixels | list[Pixels] | list[bytes]
    """Shape (n, height, width, 3) in RGB where all are of one size, else a list of arrays of shape (height, width, 3);
    a list of encoded images where these were asked for."""
    labels: NDArray[np.int64]
    """Shape (n,); -1 without a class."""
    numbers: NDArray[np.int64]
    """Shape (n,): which samples they are."""

    def __len__(self) -> int:
        return len(self.labels)


class BatchLoader(EpochLoader[Batch]):
    """Epochs of batches, decoded in threads of this process."""

    def __init__(self, fetcher: Fetcher, plan: Plan) -> None:
        super().__init__(plan)
        self._fetcher = fetcher

    def _batches(self, share: Share, order: EpochOrder) -> Iterator[Batch]:
        plan = self._plan
        return prefetched(self._fetcher, plan, share, order, range(plan.batches_in(share)), plan.threads())


def prefetched(
    fetcher: Fetcher, plan: Plan, share: Share, order: EpochOrder, chosen: Iterable[int], threads: int
) -> Iterator[Batch]:
    """The `chosen` batches of a share, in order; `plan.readahead` of them are on their way beyond the one handed out."""
    with ExitStack() as stack:
        decoders = ThreadPoolExecutor(threads, thread_name_prefix="shardmill decode")
        stack.callback(decoders.shutdown, wait=True, cancel_futures=True)
        readers = None
        if fetcher.reader.parallel:
            readers = ThreadPoolExecutor(fetcher.reader.parallel, thread_name_prefix="shardmill read")
            stack.callback(readers.shutdown, wait=True, cancel_futures=True)
        waiting: deque[_Pending] = deque()
        for batch in chosen:
            numbers = plan.numbers(share, order, batch)
            waiting.append(_Pending(fetcher, numbers, decoders, readers, decode=plan.decode))
            if len(waiting) > plan.readahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Pending:
    """A batch on its way."""

    def __init__(
        self,
        fetcher: Fetcher,
        numbers: NDArray[np.int64],
        decoders: ThreadPoolExecutor,
        readers: ThreadPoolExecutor | None,
        *,
        decode: bool,
    ) -> None:
        self._fetcher, self._numbers, self._decode = fetcher, numbers, decode
        self._labels = np.empty(len(numbers), np.int64)
        shape = fetcher.shape(numbers) if decode else None
        self._stacked = None if shape is None else np.empty((len(numbers), *shape), np.uint8)
        self._single: list[Any] = [None] * len(numbers)
        records = [None if readers is None else readers.submit(fetcher.record, int(number)) for number in numbers]
        self._tasks = [
            decoders.submit(self._run, first, records[first : first + _CHUNK])
            for first in range(0, len(numbers), _CHUNK)
        ]

    def _run(self, first: int, records: list[Future[bytes] | None]) -> None:
        fetcher = self._fetcher
        for place, reading in enumerate(records, first):
            number = int(self._numbers[place])
            record = fetcher.record(number) if reading is None else reading.result()
            if not self._decode:
                image, self._labels[place] = fetcher.unpack(number, record)
                self._single[place] = bytes(image)
            elif self._stacked is None:
                self._single[place], self._labels[place] = fetcher.decoded(number, record)
            else:
                _, self._labels[place] = fetcher.decoded(number, record, self._stacked[place])

    def result(self) -> Batch:
        for task in self._tasks:
            task.result()
        images: Any = self._stacked
        if images is None:
            images = self._single
            if self._decode and images and all(image.shape == images[0].shape for image in images):
                images = np.stack(images)
        return Batch(images, self._labels, self._numbers)
