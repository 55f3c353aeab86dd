"""Reads with `shardmill.loading`, what `shardmill.open(...).batches(...)` gives a training loop: by the index, in threads."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import numpy as np

from shardmill.errors import UsageError
from shardmill.loading.batches import prefetched
from shardmill.loading.epochs import Plan, make_plan
from shardmill.loading.fetch import Fetcher
from shardmill.loading.index import build_index
from shardmill.loading.order import EpochOrder, Share
from shardmill.speedtest.material import Material, ShardSet
from shardmill.speedtest.reader import Batch, Begin, ReaderOptions


class LoaderReader:
    """See `Reader`. Reads shards alone, in their order, so that it can be compared; `parallel_reads` are its threads.

    What it says to have read are whole records: images and what stands beside them.
    """

    def __init__(self, material: Material, options: ReaderOptions) -> None:
        """Reads the index.

        Raises:
            UsageError: these are no shards, or none whose records can be found without reading all before them.
        """
        if not isinstance(material, ShardSet) or material.size is not None:
            raise UsageError(f"the reader loader takes sets whose images prepare made alike; {material.name} is none.")
        self._material, self._options = material, options
        self._fetcher = Fetcher(material.dataset, build_index(material.dataset))
        shard_of = self._fetcher.index.shard
        self._starts = [int(np.searchsorted(shard_of, number)) for number in range(len(material.shards))]

    def windows(self, batch_size: int, num_batches: int) -> Begin:
        """See `Reader`."""
        plan = make_plan(
            len(self._fetcher.index),
            batch_size,
            shuffle=False,
            num_threads=self._options.parallel_reads,
            decode=self._options.decode,
        )
        return partial(self._window, plan, num_batches)

    def close(self) -> None:
        """See `Reader`."""

    def _window(self, plan: Plan, num_batches: int, number: int) -> Generator[Batch, None, None]:
        start = self._starts[self._material.first_shard(number)]
        share = Share(count=start + plan.batch_size * num_batches, start=start)
        order = EpochOrder(plan.share.count, plan.seed, epoch=0, shuffle=False)  # behind the last comes the first
        lengths = self._fetcher.index.length
        batches = prefetched(self._fetcher, plan, share, order, range(num_batches), plan.threads())
        for batch in batches:
            yield Batch(len(batch), int(lengths[batch.numbers].sum()), batch.images)
