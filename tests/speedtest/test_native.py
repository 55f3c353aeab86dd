from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shardmill.image.base import ImageSpec
from shardmill.image.native import NativeTransform
from shardmill.speedtest.material import open_files
from shardmill.speedtest.native import NativeReader
from shardmill.speedtest.reader import ReaderFactory
from tests.speedtest.conformance import ReaderConformance, read


class TestNativeReader(ReaderConformance):
    @pytest.fixture
    def factory(self) -> ReaderFactory:
        return NativeReader


def test_files_are_decoded_and_resized_as_prepare_does(photos: Path) -> None:
    files = open_files(str(photos), (48, 40))
    (batch,) = read(NativeReader, files, (30, 1), lanes=4, decode=True)
    transform = NativeTransform(ImageSpec(width=48, height=40))
    for pixels, name in zip(batch.content, files.all_files(), strict=True):
        np.testing.assert_array_equal(pixels, transform.pixels((photos / name).read_bytes()))
