from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import pytest

from shardmill.operations.prepare.run import prepare
from tests.pictures import class_folder

COUNT = 50

T = TypeVar("T")


def flat(lists: Iterable[Iterable[T]]) -> list[T]:
    """One list of what is in several."""
    return [one for several in lists for one in several]


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("loading"), COUNT)


@pytest.fixture(scope="session")
def square(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fifty images of one size, in two splits."""
    dest = tmp_path_factory.mktemp("square")
    prepare(str(image_folder), str(dest), size="32", num_shards="5", splits="train=0.8,val=0.2", workers=1)
    return str(dest)


@pytest.fixture(scope="session")
def ragged(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Images of several sizes, as Parquet."""
    dest = tmp_path_factory.mktemp("ragged")
    prepare(str(image_folder), str(dest), size="32", resize_mode="keep_ratio", format="parquet", workers=1)
    return str(dest)
