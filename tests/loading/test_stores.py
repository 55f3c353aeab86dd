"""Sets in buckets are loaded and converted as those in folders are."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import shardmill
from shardmill.operations.convert.run import convert
from shardmill.operations.verify.run import verify
from tests.extras import needed
from tests.loading.conftest import COUNT
from tests.outputs import contents
from tests.stores import StoreServer, download, upload


@pytest.mark.parametrize("shard_format", ["webdataset", "parquet"])
def test_from_bucket_to_bucket(
    shard_format: str, square: str, store_server: StoreServer, bucket: str, tmp_path: Path
) -> None:
    options = store_server.options
    url = upload(store_server, Path(square), bucket, "square")
    dest = f"{store_server.scheme}://{bucket}/converted"
    convert(url, dest, format=shard_format, storage_options=options)
    convert(square, str(tmp_path / "here"), format=shard_format)
    copied = contents(download(store_server, bucket, "converted", tmp_path / "there"))
    expected = contents(tmp_path / "here")
    assert copied == expected
    assert verify(dest, storage_options=options).findings == ()

    images: shardmill.Images = pickle.loads(pickle.dumps(shardmill.open(dest, storage_options=options)))
    local = shardmill.open(square)
    assert len(images) == COUNT
    assert images.key(7) == local.key(7)
    for batch, known in zip(images.batches(8), local.batches(8), strict=True):
        assert np.array_equal(batch.numbers, known.numbers)
        assert np.array_equal(batch.images, known.images)


@pytest.mark.torch
@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")  # as DataLoader does it
def test_workers_that_were_forked_read_from_a_bucket(square: str, store_server: StoreServer, bucket: str) -> None:
    """This process has talked to the store before, in threads that a fork does not take along."""
    needed("torch")
    url = upload(store_server, Path(square), bucket, "square")
    images = shardmill.open(url, storage_options=store_server.options)
    assert images[0].image.shape == (32, 32, 3)
    loader = images.torch_loader(8, num_workers=2)
    labels = [label for _, batch in loader for label in batch.tolist()]
    assert labels == [label for batch in shardmill.open(square).batches(8) for label in batch.labels.tolist()]
