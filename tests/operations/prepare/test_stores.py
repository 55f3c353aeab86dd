"""Promise 2 on object stores: a bucket and a folder give the same bytes, and what is in a bucket is as good."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from shardmill.dataset import Dataset
from shardmill.errors import TooManyFailuresError, UsageError
from shardmill.operations.prepare.run import prepare
from shardmill.operations.show.run import show
from shardmill.operations.verify.run import verify
from shardmill.storage import parse_settings
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


def test_verify_show_and_open_what_is_in_a_bucket(
    source: Path, store_server: StoreServer, bucket: str, tmp_path: Path
) -> None:
    options = store_server.options
    dest = f"{store_server.scheme}://{bucket}/shards"
    prepare(str(source), dest, storage_options=options, **OPTIONS)
    assert verify(dest, storage_options=options).ok
    sheet = tmp_path / "sheet.png"
    assert show(dest, output=str(sheet), storage_options=options).shown == 40
    assert sheet.stat().st_size > 10_000
    storage = parse_settings(options)
    dataset = Dataset.open(dest, storage=storage)
    assert sum(shard.count or 0 for shard in dataset.shards) == 47
    found = Dataset.open(f"{dest}/train-*-of-*.tfrecord", storage=storage)
    assert [shard.name for shard in found.shards] == [shard.name for shard in dataset.of_split("train")]
    one = Dataset.open(f"{dest}/{dataset.shards[0].name}", storage=storage)
    assert len(list(one.records(one.shards[0]))) == dataset.shards[0].count
    with pytest.raises(UsageError, match="there is nothing at"):
        Dataset.open(f"{dest}/nothing", storage=storage)

    shard = dataset.shards[0].name
    broken = bytearray(store_server.get(bucket, f"shards/{shard}"))
    broken[len(broken) // 2] ^= 1
    store_server.put(bucket, f"shards/{shard}", bytes(broken))
    result = verify(dest, storage_options=options)
    assert [(finding.file, finding.kind) for finding in result.findings] == [(shard, "data_crc")]
    repaired = verify(dest, repair=True, storage_options=options)
    assert repaired.ok
    assert repaired.lost == 1
    assert store_server.sizes(bucket, "shards/_lock") == {}
    again = prepare(str(source), dest, retry_failed=True, storage_options=options, **OPTIONS)
    assert (again.written, again.lost) == (47, 0)


def test_lists_tars_and_parquet_in_a_bucket(
    source: Path, store_server: StoreServer, bucket: str, tmp_path: Path
) -> None:
    """Each gives the bytes that it gives on a local disk."""
    base = f"{store_server.scheme}://{bucket}"
    options: dict[str, Any] = {"size": "32", "num_shards": "2", "storage_options": store_server.options}
    paths = sorted(path for path in source.rglob("0*.jpg"))
    local = tmp_path / "local"
    local.mkdir()
    relative = [path.relative_to(source).as_posix() for path in paths]
    labels = [path.parent.name for path in paths]
    (local / "list.csv").write_text("file_name,label\n" + "".join(map("{},{}\n".format, relative, labels)))
    with tarfile.open(local / "images.tar", "w") as tar:
        for path, name in zip(paths, relative, strict=True):
            tar.add(path, name)
    images = [path.read_bytes() for path in paths]
    pq.write_table(pa.table({"image": images, "label": labels}), local / "images.parquet")
    for path, name in zip(paths, relative, strict=True):
        (local / name).parent.mkdir(exist_ok=True)
        (local / name).write_bytes(path.read_bytes())
    upload(store_server, local, bucket, "in")
    for name in ("list.csv", "images.tar", "images.parquet"):
        prepare(str(local / name), str(tmp_path / f"from-{name}"), **options)
        prepare(f"{base}/in/{name}", f"{base}/from-{name}", **options)
        copied = download(store_server, bucket, f"from-{name}", tmp_path / f"copy-{name}")
        assert contents(copied) == contents(tmp_path / f"from-{name}"), name

    # A local list of whole URLs, without sizes, some of which lead nowhere; labels from a file in the bucket.
    store_server.put(bucket, "classes.txt", b"ash\nbirch\ncedar\n")
    urls = [f"{base}/in/{name}" for name in relative]
    rows = map("{},{}\n".format, [*urls, f"{base}/in/absent.jpg"], [*labels, "ash"])
    (tmp_path / "urls.csv").write_text("url,label\n" + "".join(rows))
    options |= {"labels_file": f"{base}/classes.txt", "max_errors": "1", "drop_duplicates": True}
    result = prepare(str(tmp_path / "urls.csv"), str(tmp_path / "from-urls"), **options)
    assert (result.written, result.reasons) == (len(paths), {"not_found": 1})


def test_images_larger_than_what_is_read_ahead(store_server: StoreServer, bucket: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    assert len(file.getvalue()) > 2 << 20
    base = f"{store_server.scheme}://{bucket}"
    for number in range(3):
        store_server.put(bucket, f"{number}.png", file.getvalue())
    (tmp_path / "list.txt").write_text("".join(f"{base}/{number}.png\n" for number in range(3)))
    options: dict[str, Any] = {"size": "32", "storage_options": store_server.options}
    assert prepare(str(tmp_path / "list.txt"), str(tmp_path / "out"), **options).written == 3
    with pytest.raises(TooManyFailuresError, match="holds more than 1500000 bytes"):
        prepare(str(tmp_path / "list.txt"), str(tmp_path / "less"), max_source_bytes="1.5MB", **options)


def test_options_reach_no_file(source: Path, store_server: StoreServer, bucket: str) -> None:
    """What may be a secret is neither in the plan nor in the manifest, nor in an error's text."""
    secret = "Zg7-not-to-be-seen"
    options = {**store_server.options, "session_kwargs" if store_server.scheme == "gs" else "token": None}
    options["project" if store_server.scheme == "gs" else "secret"] = secret
    dest = f"{store_server.scheme}://{bucket}/shards"
    prepare(str(source), dest, storage_options=options, **OPTIONS)
    for key in store_server.sizes(bucket):
        assert secret.encode() not in store_server.get(bucket, key), key
    assert secret not in repr(parse_settings(options))
    for broken in (f"{{{secret}", f"a={secret},b", f"@/{secret}", f"a={secret},a.b=1"):
        with pytest.raises(UsageError) as caught:
            parse_settings(broken)
        assert secret not in str(caught.value)
