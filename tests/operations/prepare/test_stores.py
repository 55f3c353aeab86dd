"""Promise 2 on object stores: a bucket and a folder give the same bytes, and what is in a bucket is as good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shardmill.operations.prepare.run import prepare
from tests.outputs import contents, manifest
from tests.pictures import class_folder
from tests.stores import StoreServer, download, upload

OPTIONS: dict[str, Any] = {"size": "48", "splits": "train=0.7,val=0.3", "num_shards": "5", "max_errors": "50%"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("source"), 40, odd=True)


@pytest.fixture(scope="module")
def reference(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    dest = tmp_path_factory.mktemp("reference")
    prepare(str(source), str(dest), **OPTIONS)
    return contents(dest)


@pytest.mark.parametrize("engine", ["local", pytest.param("spark", marks=pytest.mark.spark)])
def test_same_bytes_as_locally(
    engine: Any,
    source: Path,
    reference: dict[str, str],
    store_server: StoreServer,
    bucket: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if engine == "spark":
        request.getfixturevalue("spark")
    url = upload(store_server, source, bucket, "photos")
    dest = f"{store_server.scheme}://{bucket}/deep/shards"
    result = prepare(url, dest, engine=engine, storage_options=store_server.options, **OPTIONS)
    assert (result.listed, result.written, result.failed) == (50, 47, 3)
    copied = download(store_server, bucket, "deep/shards", tmp_path)
    assert contents(copied) == reference
    assert manifest(copied)["run"]["engine"] == engine
    assert not (copied / "_lock").exists()
    again = prepare(url, dest, storage_options=store_server.options, **OPTIONS)
    assert again.already_complete
