from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardmill.errors import UsageError
from shardmill.sources.names import split_name, splits_of_files, suffix_of, to_path, to_text

pytestmark = pytest.mark.oldest

FILE_NAMES = st.binary().map(os.fsdecode) | st.text(st.sampled_from("a\u00e9\U0010fe80\U0010feff\udc80\udcff\udce9"))


@given(FILE_NAMES)
def test_text_leads_back_to_the_file_name(name: str) -> None:
    text = to_text(name)
    assert os.fsencode(to_path(text)) == os.fsencode(name)
    assert text.encode().decode() == text


@given(st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"])))
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert to_text(name) == to_path(name) == name


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        ("a/b.JPG", ".jpg"),
        ("a.b/c", ""),
        (".x/a.jpg", ".hidden"),
        ("a/.jpg", ".hidden"),
        ("a..jpg", ".jpg"),
        ("a.", "."),
    ],
)
def test_suffix(path: str, suffix: str) -> None:
    assert suffix_of(path) == suffix


def test_split_names() -> None:
    assert [split_name(name) for name in ("TRAIN", "Val", "fold_1", "Holdout")] == ["train", "val", "fold_1", "Holdout"]
    for bad in ("../x", "a/b", "", "-x", "a b", "_x", "x" * 65):
        with pytest.raises(UsageError, match="cannot name a split"):
            split_name(bad)


@pytest.mark.parametrize(
    ("paths", "splits"),
    [
        (["train-00000-of-00002.parquet", "Train-00001-of-00002.parquet"], ["train", "train"]),
        (["train-000.tar", "val_3.tar", "test07.tar"], ["train", "val", "test"]),
        (["data/train-000.tar"], ["train"]),
        (["train/0.tar", "val/0.tar"], ["train", "val"]),
        (["train.tar", "test.tar"], ["train", "test"]),
        (["train.tar"], [None]),
        (["train-0.tar", "more.tar"], [None, None]),
        (["training_notes.tar", "train.tar"], [None, None]),
    ],
)
def test_splits_that_file_names_say(paths: list[str], splits: list[str | None]) -> None:
    assert list(splits_of_files(paths).values()) == splits
