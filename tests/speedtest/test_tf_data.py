from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shardmill.registry import READERS, load
from shardmill.speedtest.material import open_shards
from shardmill.speedtest.native import NativeReader
from shardmill.speedtest.reader import ReaderFactory
from tests.speedtest.conformance import ReaderConformance, read

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def factory() -> ReaderFactory:
    return load(READERS, "reader", "tf.data")


class TestTfDataReader(ReaderConformance):
    pass


def test_it_reads_what_the_native_reader_reads(factory: ReaderFactory, shards: Path) -> None:
    material = open_shards(str(shards))
    ours, theirs = (read(one, material, (10, 3), lanes=1, decode=True) for one in (NativeReader, factory))
    for own, other in zip(ours, theirs, strict=True):
        assert own.bytes == other.bytes
        difference = np.abs(np.asarray(own.content, np.int16) - np.asarray(other.content, np.int16))
        assert difference.mean() < 3  # TensorFlow decodes with a faster, coarser transform
