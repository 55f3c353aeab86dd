"""Native batches as a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shardmill.image.quiet_tensorflow import tf
from shardmill.loading.batches import BatchLoader


def epochs_of(loader: BatchLoader, shape: tuple[int, int, int] | None) -> tf.data.Dataset:
    """A data set whose every pass is the next epoch of `loader`, whose images are all of `shape`."""

    def one_epoch() -> Iterator[tuple[Any, Any]]:
        for batch in loader:
            yield batch.images, batch.labels

    signature = (
        tf.TensorSpec((None, *(shape or (None, None, 3))), tf.uint8),
        tf.TensorSpec((None,), tf.int64),
    )
    dataset = tf.data.Dataset.from_generator(one_epoch, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(loader)))
