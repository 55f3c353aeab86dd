from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shardmill.errors import UsageError
from shardmill.sources.base import BATCH_ROWS, Source
from shardmill.sources.names import to_path
from shardmill.storage import open_store

pytestmark = pytest.mark.oldest

Tree = Callable[..., Path]
Listing = Callable[..., list[dict[str, Any]]]


def meanings(rows: list[dict[str, Any]]) -> list[tuple[str, str | None, str | None]]:
    return [(row["key"], row["split"], row["label"]) for row in rows]


def test_first_folder_is_the_class_and_deeper_ones_mean_nothing(tree: Tree, listing: Listing) -> None:
    root = tree("cat/a.jpg", "cat/deep/er/b.PNG", "dog/a.jpg", "loose.webp")
    assert meanings(listing(root)) == [
        ("cat/a.jpg", None, "cat"),
        ("cat/deep/er/b.PNG", None, "cat"),
        ("dog/a.jpg", None, "dog"),
        ("loose.webp", None, None),
    ]


def test_rows_say_where_and_how_large(tree: Tree, listing: Listing) -> None:
    [row] = listing(tree("cat/a.jpg"))
    assert row == {
        "key": "cat/a.jpg", "uri": "cat/a.jpg", "offset": None, "size": 9, "split": None, "label": "cat", "group": None,
    }  # fmt: skip


def test_split_folders_where_all_are_called_so(tree: Tree, listing: Listing) -> None:
    root = tree("Train/cat/a.jpg", "Train/b.jpg", "val/dog/deep/c.jpg", "d.jpg")
    (root / "notes").mkdir()
    (root / "notes" / "readme.txt").write_text("no image, so this folder does not count")
    assert meanings(listing(root)) == [
        ("Train/b.jpg", "train", None),
        ("Train/cat/a.jpg", "train", "cat"),
        ("d.jpg", None, None),
        ("val/dog/deep/c.jpg", "val", "dog"),
    ]


def test_a_class_called_train_is_a_class_beside_others(tree: Tree, listing: Listing) -> None:
    assert [row["label"] for row in listing(tree("train/a.jpg", "tram/a.jpg"))] == ["train", "tram"]


def test_layout_can_be_told(tree: Tree, listing: Listing) -> None:
    root = tree("train/cat/a.jpg", "fold_1/dog/b.jpg")
    assert {(row["split"], row["label"]) for row in listing(root, layout="flat")} == {(None, None)}
    assert [row["label"] for row in listing(root, layout="class")] == ["fold_1", "train"]
    assert [(row["split"], row["label"]) for row in listing(root, layout="split")] == [
        ("fold_1", "dog"),
        ("train", "cat"),
    ]


def test_a_split_folder_must_be_able_to_name_a_shard(tree: Tree, listing: Listing) -> None:
    with pytest.raises(UsageError, match=r"'my split' cannot name a split; use letters"):
        listing(tree("my split/a.jpg"), layout="split")


def test_flat_folder_has_no_labels(tree: Tree, listing: Listing) -> None:
    assert meanings(listing(tree("a.jpg", "b.tiff"))) == [("a.jpg", None, None), ("b.tiff", None, None)]


def test_every_other_file_is_counted_by_suffix(tree: Tree, open_plain: Callable[..., Source]) -> None:
    root = tree(
        "cat/a.jpg", "labels.CSV", "cat/x.csv", "README", ".git/a.jpg", "cat/._a.jpg", ".b.png", "cat/jpg", "_SUCCESS"
    )
    source = open_plain(root)
    assert sum(batch.num_rows for batch in source.batches()) == 1
    assert source.ignored == {".csv": 2, "": 3, ".hidden": 3}


def test_include_replaces_the_suffixes(tree: Tree, open_plain: Callable[..., Source]) -> None:
    source = open_plain(tree("cat/a.jpg", "cat/b.scan", "dog/b.scan", "cat/._b.scan"), include=("cat/*.scan",))
    assert [key for batch in source.batches() for key in batch["key"].to_pylist()] == ["cat/b.scan"]
    assert source.ignored == {".jpg": 1, ".scan": 1, ".hidden": 1}


def test_no_images_are_no_batches(tree: Tree, open_plain: Callable[..., Source]) -> None:
    source = open_plain(tree("a.mp4"))
    assert list(source.batches()) == []
    assert source.ignored == {".mp4": 1}


@pytest.mark.parametrize(
    "name",
    [
        "two words.jpg",
        "line\nbreak.jpg",
        "caf\u00e9.jpg",
        "cafe\u0301.jpg",
        "bad\udcff\udc80.jpg",
        "own\U0010feff.jpg",
        "a%FF~2.jpg",
    ],
)
def test_any_name_gives_a_key_of_its_own_and_leads_back_to_its_file(tree: Tree, listing: Listing, name: str) -> None:
    root = tree(f"cat/{name}", "cat/other.jpg", "cat/cafe.jpg")
    [row] = [row for row in listing(root) if row["key"] not in ("cat/other.jpg", "cat/cafe.jpg")]
    assert row["key"].encode()  # text that a record can hold
    assert open_store(str(root)).read(to_path(row["uri"])) == f"cat/{name}".encode("utf-8", "surrogateescape")


def test_both_unicode_forms_of_a_name_are_two_images(tree: Tree, listing: Listing) -> None:
    assert len({row["key"] for row in listing(tree("caf\u00e9.jpg", "cafe\u0301.jpg"))}) == 2


def test_links(tree: Tree, listing: Listing) -> None:
    root = tree("cat/a.jpg")
    (root / "cat" / "loop").symlink_to(root, target_is_directory=True)
    (root / "cat" / "dangling.jpg").symlink_to(root / "nowhere.jpg")
    (root / "cat" / "itself.jpg").symlink_to(root / "cat" / "itself.jpg")
    (root / "dog").symlink_to(root / "cat", target_is_directory=True)
    sizes = {row["key"]: row["size"] for row in listing(root)}
    assert sizes == {
        "cat/a.jpg": 9, "cat/dangling.jpg": None, "cat/itself.jpg": None,
        "dog/a.jpg": 9, "dog/dangling.jpg": None, "dog/itself.jpg": None,
    }  # fmt: skip


@pytest.mark.slow
def test_more_than_one_batch_in_sorted_order(tmp_path: Path, listing: Listing) -> None:
    names = [f"{number:05d}.jpg" for number in range(BATCH_ROWS + 10)]
    for name in names:
        os.close(os.open(tmp_path / name, os.O_CREAT | os.O_WRONLY))
    assert [row["key"] for row in listing(tmp_path)] == names


def test_suffixes_are_those_that_pillow_opens() -> None:
    from PIL import Image

    from shardmill.sources.names import IMAGE_SUFFIXES

    Image.init()
    known = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    assert IMAGE_SUFFIXES - known <= {".avif", ".avifs", ".qoi", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"}
