from __future__ import annotations

from pathlib import Path

import pytest

from shardmill.operations.prepare.run import prepare
from tests.pictures import class_folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty JPEGs in three class folders."""
    return class_folder(tmp_path_factory.mktemp("speedtest") / "photos", 30)


@pytest.fixture(scope="session")
def shards(photos: Path) -> Path:
    """They as three shards of ten records, 48 x 40 pixels."""
    dest = photos.parent / "shards"
    prepare(str(photos), str(dest), size="48x40", num_shards="3")
    return dest
