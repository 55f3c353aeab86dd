from __future__ import annotations

from pathlib import Path

import pytest

from tests.extras import needed

needed("IPython")
from IPython.display import HTML

import shardmill
from shardmill import notebook
from tests.pictures import class_folder


class Place:
    """Where a cell's output would be."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, content: HTML) -> None:
        self.shown.append(str(content.data))


def test_a_run_is_followed_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()
    monkeypatch.setattr(notebook, "display", lambda content, display_id: place)
    monkeypatch.setattr(notebook, "_REDRAW_S", 0.0)
    class_folder(tmp_path / "photos", 8)
    shardmill.prepare(str(tmp_path / "photos"), str(tmp_path / "out"), size="32", on_event=notebook.progress())
    assert place.shown[0].endswith("listing: 8 images so far</div>")
    assert place.shown[-1].endswith("8 written, 0 skipped, 0 failed</div>")


def test_a_bar_shows_how_far_and_escapes_what_it_says() -> None:
    drawn = notebook._bar("3 of 4 <images>", 0.75)
    assert 'value="0.7500"' in drawn
    assert "3 of 4 &lt;images&gt;" in drawn
