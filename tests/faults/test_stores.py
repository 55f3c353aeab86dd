"""Promises 1 to 3 with a store that fails: nothing lost, nothing doubled, no failure of transport taken for a bad image."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shardmill.errors import ResumableError
from shardmill.operations.prepare.run import prepare
from tests.faults.fault_proxy import FaultProxy, Faults, fault_proxy
from tests.outputs import contents, manifest
from tests.pictures import class_folder
from tests.stores import StoreServer, download, upload

OPTIONS: dict[str, Any] = {"size": "48", "splits": "train=0.7,val=0.3", "num_shards": "6", "max_errors": "0"}
IMAGES = 150


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("source"), IMAGES)


@pytest.fixture(scope="module")
def reference(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    dest = tmp_path_factory.mktemp("reference")
    prepare(str(source), str(dest), **OPTIONS)
    return contents(dest)


@pytest.fixture
def proxy(store_server: StoreServer) -> Iterator[FaultProxy]:
    with fault_proxy(store_server.endpoint) as running:
        yield running


@pytest.mark.slow
def test_job_under_faults(
    source: Path,
    reference: dict[str, str],
    store_server: StoreServer,
    bucket: str,
    proxy: FaultProxy,
    tmp_path: Path,
) -> None:
    url = upload(store_server, source, bucket, "photos")
    proxy.set(Faults(errors=0.025, resets=0.025, truncated=0.01, stalls=0.01, stall_s=2.0, seed=3))
    options = store_server.at(proxy.endpoint).options
    result = prepare(url, f"{store_server.scheme}://{bucket}/shards", storage_options=options, **OPTIONS)
    counts = proxy.counts()
    assert min(counts[fault] for fault in ("error", "reset", "truncated", "stall")) > 0, counts
    assert (result.listed, result.written, result.failed, result.skipped) == (IMAGES, IMAGES, 0, 0)
    copied = download(store_server, bucket, "shards", tmp_path)
    assert contents(copied) == reference
    assert not (copied / "_lock").exists()
    # aiohttp, below both libraries, tries a kept connection that is reset once more by itself: those we do not see. Up to
    # two of the others may hit the mark of success and the end of the lock, which come after the count is told.
    seen = counts["error"] + counts["truncated"]
    assert seen - 2 <= sum(result.retries.values()) <= seen + counts["reset"], (counts, result.retries)
    assert manifest(copied)["run"]["retries"].keys() <= result.retries.keys()


def test_store_that_stays_down(
    source: Path,
    reference: dict[str, str],
    store_server: StoreServer,
    bucket: str,
    proxy: FaultProxy,
    tmp_path: Path,
) -> None:
    """From the third shard on, nothing can be written; later the same command goes on."""
    url = upload(store_server, source, bucket, "photos")
    dest = f"{store_server.scheme}://{bucket}/shards"
    options: dict[str, Any] = {
        "storage_options": store_server.at(proxy.endpoint).options,
        "store_timeout": 3.0,
        "workers": 1,
    }
    proxy.set(Faults(down=True, only="train-00002-of-"))
    began = time.monotonic()
    with pytest.raises(
        ResumableError, match=r"cannot (write|look up) .*attempts failed within 3 s, the last with HTTP 503"
    ):
        prepare(url, dest, **options, **OPTIONS)
    assert time.monotonic() - began < 60, "it took much longer than the time-out says"
    stored = store_server.sizes(bucket, "shards/")
    assert "shards/_SUCCESS" not in stored
    assert not any("train-00002" in name for name in stored)
    assert "shards/_lock" not in stored
    proxy.set(Faults())
    result = prepare(url, dest, **options, **OPTIONS)
    assert result.resumed_shards == 2
    assert result.written == IMAGES
    assert contents(download(store_server, bucket, "shards", tmp_path)) == reference


def test_store_that_is_down_from_the_beginning(store_server: StoreServer, bucket: str, proxy: FaultProxy) -> None:
    proxy.set(Faults(down=True))
    options = store_server.at(proxy.endpoint).options
    with pytest.raises(ResumableError, match=r"cannot list .*within 1 s.*run the same command again"):
        prepare(f"{store_server.scheme}://{bucket}/x", "unused", storage_options=options, store_timeout=1.0)
