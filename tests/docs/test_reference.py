from __future__ import annotations

import json
from pathlib import Path

from tools.reference.files import MANIFEST_DATA
from tools.reference.pages import stale

import shardmill
from tests.pictures import class_folder


def test_the_reference_says_what_the_code_says() -> None:
    assert stale() == [], "run: ./run reference"


def test_the_manifest_is_described_as_it_is(tmp_path: Path) -> None:
    class_folder(tmp_path / "photos", 4)
    shardmill.prepare(str(tmp_path / "photos"), str(tmp_path / "out"), size="16")
    manifest = json.loads((tmp_path / "out/_manifest.json").read_text())
    assert list(manifest) == ["format", "data", "run"]
    assert list(manifest["data"]) == list(MANIFEST_DATA)
