from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from shardmill.errors import UsageError
from shardmill.sources.base import Source
from shardmill.sources.names import to_path
from shardmill.storage import open_store

pytestmark = pytest.mark.oldest

Listing = Callable[..., list[dict[str, Any]]]


def write_tar(path: Path, members: Sequence[tuple[str, bytes]], tar_format: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=tar_format) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def told(rows: list[dict[str, Any]]) -> list[tuple[str, str | None, str | None]]:
    return [(row["key"], row["label"], row["col:txt"]) for row in rows]


def image_bytes(root: Path, row: dict[str, Any]) -> bytes:
    return open_store(str(root)).read(to_path(row["uri"]), row["offset"], row["size"])


@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_samples_with_labels_and_captions(tmp_path: Path, listing: Listing, tar_format: int) -> None:
    long, odd = "x" * 150, "caf\u00e9\nx"
    members = [
        ("000.jpg", b"image 0"), ("000.cls", b"7\n"), ("000.txt", "caf\u00e9".encode()),
        ("001.json", b'{"label": "hen", "n": 1}'), ("001.PNG", b"image 1" * 1000),
        (f"{long}/{long}.jpg", b"image 2"), ("./sub/003.seg.jpg", b"image 3"), (f"{odd}.webp", b"image 4"),
    ]  # fmt: skip
    rows = listing(write_tar(tmp_path / "a.tar", members, tar_format))
    assert told(rows) == [
        ("000.jpg", "7", "caf\u00e9"),
        ("001.PNG", "hen", None),
        (f"{long}/{long}.jpg", None, None),
        ("sub/003.seg.jpg", None, None),
        (f"{odd}.webp", None, None),
    ]
    images = [content for name, content in members if b"image" in content]
    assert [image_bytes(tmp_path, row) for row in rows] == images


def test_names_that_are_not_text(tmp_path: Path, listing: Listing) -> None:
    write_tar(tmp_path / "b\udcff.tar", [("a\udcfe.jpg", b"image")], tarfile.GNU_FORMAT)
    [row] = listing(tmp_path)
    assert (row["key"], image_bytes(tmp_path, row)) == ("a\U0010fefe.jpg", b"image")


def test_labels_in_json(tmp_path: Path, listing: Listing) -> None:
    texts = [
        '{"label": 3.0}',
        '{"label": " ant "}',
        "3",
        '{"class_name": "ant"}',
        '{"label": true}',
        '{"label": null, "class": 4}',
        '{"label": [1]}',
        '{"y": "", "target": 0}',
    ]
    members = [
        pair
        for number, text in enumerate(texts)
        for pair in ((f"{number}.jpg", b"x"), (f"{number}.json", text.encode()))
    ]
    path = write_tar(tmp_path / "a.tar", members)
    assert [row["label"] for row in listing(path)] == ["3", "ant", None, "ant", "1", "4", None, "0"]
    assert [row["label"] for row in listing(path, label_col="y")] == [None] * 8


def test_what_is_no_image_is_counted(tmp_path: Path, open_plain: Callable[..., Source]) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("folder/", "0.jpg", "0.npy", "README", "1.npy", "._0.jpg", "2.cls"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            tar.addfile(info)
    (tmp_path / "notes.md").touch()
    source = open_plain(tmp_path)
    assert sum(batch.num_rows for batch in source.batches()) == 1
    assert source.ignored == {".npy": 2, "": 1, ".hidden": 1, ".md": 1, ".cls": 1}


def test_links_are_listed_where_nothing_can_be_read(tmp_path: Path, listing: Listing) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo("link.jpg")
        info.type, info.linkname = tarfile.LNKTYPE, "other.jpg"
        tar.addfile(info)
    [row] = listing(tmp_path / "a.tar")
    assert (row["key"], row["uri"], row["offset"], row["size"]) == ("link.jpg", "a.tar/link.jpg", None, None)


def test_several_images_in_a_sample(tmp_path: Path, listing: Listing) -> None:
    path = write_tar(tmp_path / "a.tar", [("0.jpg", b"x"), ("0.seg.png", b"yy"), ("1.jpg", b"z")])
    with pytest.raises(
        UsageError, match=r"a\.tar: sample 0 holds 2 images \(jpg, seg\.png\); choose one with --image-col jpg"
    ):
        listing(path)
    assert [row["key"] for row in listing(path, image_col="jpg")] == ["0.jpg", "1.jpg"]
    assert [row["size"] for row in listing(path, image_col=".seg.png")] == [2]


def test_a_member_that_comes_again_is_another_sample(tmp_path: Path, listing: Listing) -> None:
    assert [row["key"] for row in listing(write_tar(tmp_path / "a.tar", [("0.jpg", b"x"), ("0.jpg", b"y")]))] == [
        "0.jpg"
    ] * 2


def test_many_tars(tmp_path: Path, listing: Listing) -> None:
    for split in ("train", "val"):
        for number in range(2):
            write_tar(tmp_path / f"{split}-{number:03d}.tar", [(f"{split}{number}.jpg", b"x")])
    want = [("train0.jpg", "train"), ("train1.jpg", "train"), ("val0.jpg", "val"), ("val1.jpg", "val")]
    assert [(row["key"], row["split"]) for row in listing(tmp_path)] == want
    assert [(row["key"], row["split"]) for row in listing(tmp_path / "*-00?.tar")] == want
    assert [(row["key"], row["split"]) for row in listing(tmp_path / "{val,train}-{000..001}.tar")] == [
        *want[2:],
        *want[:2],
    ]
    assert {row["uri"] for row in listing(tmp_path / "val-*.tar")} == {"val-000.tar", "val-001.tar"}
    with pytest.raises(UsageError, match=r"names train-002\.tar and 7 more, which is not there"):
        listing(tmp_path / "train-{000..009}.tar")


def test_compressed_tars_are_refused(tmp_path: Path, listing: Listing) -> None:
    content = write_tar(tmp_path / "a.tar", [("0.jpg", b"x")]).read_bytes()
    (tmp_path / "b.tar").write_bytes(gzip.compress(content))
    (tmp_path / "c.tar.gz").write_bytes(gzip.compress(content))
    with pytest.raises(UsageError, match=r"b\.tar is compressed.*run gunzip on it first"):
        listing(tmp_path / "b.tar")
    with pytest.raises(UsageError, match=r"c\.tar\.gz is compressed.*run gunzip on it first"):
        listing(tmp_path / "c.tar.gz")


def test_no_cut_goes_unnoticed(tmp_path: Path, listing: Listing) -> None:
    members = [(f"{'n' * (150 * (number == 1))}{number}.jpg", b"x" * (700 * number)) for number in range(4)]
    whole = write_tar(tmp_path / "a.tar", members, tarfile.GNU_FORMAT).read_bytes()
    with tarfile.open(tmp_path / "a.tar") as tar:
        end = max(-(-(member.offset_data + member.size) // 512) * 512 for member in tar)
    assert len(listing(tmp_path / "a.tar")) == 4
    for length in [*range(0, end, 64), end - 1, end, end + 511]:
        (tmp_path / "a.tar").write_bytes(whole[:length])
        with pytest.raises(UsageError, match=r"a\.tar is .*(cut off at byte|no whole tar).*write or download it again"):
            listing(tmp_path / "a.tar")


def test_a_damaged_header_is_no_end(tmp_path: Path, listing: Listing) -> None:
    content = bytearray(write_tar(tmp_path / "a.tar", [("0.jpg", b"x"), ("1.jpg", b"y")]).read_bytes())
    content[1024 + 100] ^= 1
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(UsageError, match=r"a\.tar is damaged at byte 1,024"):
        listing(tmp_path / "a.tar")


def test_joined_tars_are_refused(tmp_path: Path, listing: Listing) -> None:
    content = write_tar(tmp_path / "a.tar", [("0.jpg", b"x")]).read_bytes()
    (tmp_path / "a.tar").write_bytes(content * 2)
    with pytest.raises(UsageError, match=r"a\.tar goes on behind its end mark at byte 1,024"):
        listing(tmp_path / "a.tar")


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (("0.json", b"{"), "0.json is not JSON"),
        (("0.json", b'{"label": "\\ud800"}'), "0.json is not JSON"),
        (("0.txt", b"\xff"), "0.txt is not UTF-8 text"),
        (("0.cls", b"1" * (2**24 + 1)), "too many"),
    ],
)
def test_bad_sidecars(tmp_path: Path, listing: Listing, member: tuple[str, bytes], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        listing(write_tar(tmp_path / "a.tar", [("0.jpg", b"x"), member]))
