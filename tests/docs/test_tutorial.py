from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY
from tests.extras import needed

nbclient, nbformat = needed("nbclient"), needed("nbformat")
TUTORIAL = REPOSITORY / "docs" / "tutorial.ipynb"


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # of the Jupyter packages
@pytest.mark.timeout(900)
def test_it_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = nbformat.read(TUTORIAL, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    assert (tmp_path / "shardmill-tutorial/report.html").is_file()
    assert [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count is None] == []


def test_it_reads_well_unexecuted_and_names_no_place_of_its_maker() -> None:
    notebook = nbformat.read(TUTORIAL, as_version=4)
    shown = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    assert len(shown) >= 12
    kinds = {kind for cell in shown for output in cell.outputs for kind in output.get("data", {})}
    assert {"image/png", "image/svg+xml"} <= kinds
    assert not any(output.output_type == "error" for cell in shown for output in cell.outputs)
    text = TUTORIAL.read_text()
    assert "/tmp/" not in text
    assert str(Path.home()) + os.sep not in text
