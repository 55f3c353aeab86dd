from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from shardmill.errors import UsageError
from shardmill.sources.base import Source
from shardmill.sources.files import expand_braces
from shardmill.sources.spec import SourceSpec

pytestmark = pytest.mark.oldest

Opened = Callable[..., Source]
Tree = Callable[..., Path]


def test_a_spec_survives_json() -> None:
    spec = SourceSpec(image_col="x", include=("*.jpg",))
    back: dict[str, Any] = json.loads(json.dumps(asdict(spec)))
    assert SourceSpec(**{**back, "include": tuple(back["include"])}) == spec


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("flowrs", r"flowrs does not exist \(did you mean 'flowers'\?\); give a folder"),
        ("nothing/like/it", r"it does not exist; give a folder"),
        ("photo.jpg", r"photo\.jpg is an image; give the folder"),
        ("photo.jpg/", r"photo\.jpg/ is an image; give the folder"),
        ("notes.md", r"notes\.md is of no kind known by its suffix .*--input-format"),
        ("a*.tar", r"a\*\.tar matches no file"),
        ("no/a*.tar", r"matches no file"),
        ("{9..1}.tar", r"\{9\.\.1\} is no range"),
        ("lists", r"lists holds no images but a list; give the list itself as SOURCE: .*lists/a\.csv"),
        ("both", r"both tar and Parquet files; say which are meant with --input-format"),
        ("*.csv", r"means 2 lists; join them"),
    ],
)
def test_what_is_no_source(tree: Tree, open_plain: Opened, name: str, message: str) -> None:
    root = tree(
        "flowers/a.jpg",
        "photo.jpg",
        "notes.md",
        "lists/a.csv",
        "lists/b.txt",
        "both/a.tar",
        "both/b.parquet",
        "x.csv",
        "y.csv",
    )
    with pytest.raises(UsageError, match=message):
        open_plain(f"{root}/{name}")


def test_a_name_with_magic_characters_stands_for_itself(tree: Tree, open_plain: Opened) -> None:
    root = tree("set [1]/a.jpg", "{x}.txt")
    assert [batch.num_rows for batch in open_plain(root / "set [1]").batches()] == [1]
    assert [batch.num_rows for batch in open_plain(root / "{x}.txt").batches()] == [1]


def test_nothing_is_not_the_working_folder(open_plain: Opened) -> None:
    with pytest.raises(UsageError, match="SOURCE is empty"):
        open_plain("")


def test_file_urls(tree: Tree, open_plain: Opened) -> None:
    root = tree("cat/a.jpg", "x.txt")
    assert [open_plain(f"file://{root}{rest}").root for rest in ("", "/cat", "/x.txt")] == [
        str(root),
        f"{root}/cat",
        str(root),
    ]


def test_the_kind_can_be_told(tree: Tree, open_plain: Opened) -> None:
    root = tree("list.dat", "cat/a.jpg", "b.tar")
    (root / "list.dat").write_text("file\na.jpg\n")
    assert [batch["uri"].to_pylist() for batch in open_plain(root / "list.dat", input_format="csv").batches()] == [
        ["a.jpg"]
    ]
    assert [batch["uri"].to_pylist() for batch in open_plain(root).batches()] == [["cat/a.jpg"]]
    with pytest.raises(UsageError, match=r"b\.tar is cut off at byte 5|b\.tar is no whole tar"):
        list(open_plain(root, input_format="webdataset").batches())
    with pytest.raises(UsageError, match=r"holds no csv file; give the file itself"):
        open_plain(root, input_format="csv")
    with pytest.raises(UsageError, match=r"holds no parquet file"):
        open_plain(root, input_format="parquet")
    with pytest.raises(UsageError, match=r"list\.dat is no folder"):
        open_plain(root / "list.dat", input_format="folder")


@pytest.mark.parametrize(
    ("name", "spec", "message"),
    [
        (
            "cat",
            {"label_col": "x"},
            r"--label-col means nothing for .*cat, which is read as folder; give what fits it: --include, --layout",
        ),
        (
            "a.csv",
            {"layout": "class"},
            r"--layout means nothing for .*a\.csv, which is read as csv; give what fits it: --image-col",
        ),
        ("a.csv", {"include": ("*.jpg",)}, r"--include means nothing"),
        (
            "a.txt",
            {"image_col": "x"},
            r"--image-col means nothing for .*a\.txt, which is read as text; give none of these flags",
        ),
    ],
)
def test_flags_that_mean_nothing_are_refused(
    tree: Tree, open_plain: Opened, name: str, spec: dict[str, Any], message: str
) -> None:
    root = tree("cat/a.jpg", "a.csv", "a.txt")
    with pytest.raises(UsageError, match=message):
        open_plain(root / name, **spec)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("{08..11}.tar", ["08.tar", "09.tar", "10.tar", "11.tar"]),
        ("{a,b}-{0..1}", ["a-0", "a-1", "b-0", "b-1"]),
        ("x{,y}", ["x", "xy"]),
    ],
)
def test_braces(pattern: str, names: list[str]) -> None:
    assert list(expand_braces(pattern)) == names
