from __future__ import annotations

from pathlib import Path

import pytest

from tests.extras import needed
from tests.pictures import class_folder

nbclient, nbformat = needed("nbclient"), needed("nbformat")

CELLS = (
    "import shardmill",
    "shardmill.prepare('photos', 'shards', size='32', workers=1)",
    "shardmill.verify('shards')",
    "shardmill.show('shards', output='sheet.png')",
    "shardmill.advise('shards')",
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # of the Jupyter packages
def test_results_show_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    class_folder(tmp_path / "photos", 6)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    for cell, words in zip(
        notebook.cells[1:], ("6 records in", "is whole", "Images in each class", "Could not be told"), strict=True
    ):
        (output,) = cell.outputs
        assert set(output["data"]) == {"text/html", "text/plain"}
        assert '<div class="shardmill">' in output["data"]["text/html"]
        assert words in output["data"]["text/html"]
