from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shardmill.errors import UsageError
from shardmill.operations.prepare.run import prepare
from shardmill.speedtest.loader import LoaderReader
from shardmill.speedtest.material import open_files, open_shards
from shardmill.speedtest.native import NativeReader
from shardmill.speedtest.reader import ReaderOptions
from tests.speedtest.conformance import encoded, read


@pytest.mark.parametrize("format", ["tfrecord", "webdataset", "parquet"])
def test_it_reads_the_images_that_the_native_reader_reads(photos: Path, tmp_path: Path, format: str) -> None:
    prepare(str(photos), str(tmp_path / "set"), size="48x40", num_shards="3", format=format)
    material = open_shards(str(tmp_path / "set"))
    for number in (0, 1, 5):
        ours, theirs = (
            read(reader, material, (10, 7), number, lanes=1, decode=False) for reader in (NativeReader, LoaderReader)
        )
        assert encoded(theirs) == encoded(ours)


@pytest.mark.parametrize("lanes", [1, 3])
def test_pixels_come_in_arrays(shards: Path, lanes: int) -> None:
    batches = read(LoaderReader, open_shards(str(shards)), (7, 9), 1, lanes=lanes, decode=True)
    assert [np.shape(batch.content) for batch in batches] == [(7, 40, 48, 3)] * 9
    assert all(batch.bytes > 7 * 100 for batch in batches)


def test_what_it_cannot_read_is_refused(photos: Path, shards: Path) -> None:
    for material in (open_files(str(photos), (48, 40)), open_shards(str(shards), (20, 20))):
        with pytest.raises(UsageError, match="images prepare made alike"):
            LoaderReader(material, ReaderOptions(1, decode=True))
