from __future__ import annotations

import numpy as np
import pytest

import shardmill
from shardmill.errors import UsageError
from tests.loading.conftest import COUNT

pytestmark = pytest.mark.tensorflow


def test_every_pass_is_the_next_epoch(square: str) -> None:
    images = shardmill.open(square)
    dataset = images.tf(8, seed=4, epoch=2)
    assert dataset.element_spec[0].shape.as_list() == [None, 32, 32, 3]
    assert int(dataset.cardinality()) == 7
    loader = images.batches(8, seed=4)
    loader.set_epoch(2)
    for _ in range(2):
        for (pixels, labels), batch in zip(dataset, loader, strict=True):
            assert np.array_equal(pixels.numpy(), batch.images)
            assert np.array_equal(labels.numpy(), batch.labels)


def test_images_of_several_sizes_are_refused(ragged: str) -> None:
    with pytest.raises(UsageError, match="differ in size, so they make no tensors"):
        shardmill.open(ragged).tf(8)
    assert len(shardmill.open(ragged)) == COUNT
