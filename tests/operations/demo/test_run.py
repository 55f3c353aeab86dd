from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from PIL import Image

from shardmill.cli.prepare import COMMAND
from shardmill.cli.speedtest import COMMAND as SPEEDTEST
from shardmill.errors import UsageError
from shardmill.operations.demo.run import demo
from shardmill.operations.prepare.run import prepare
from shardmill.operations.speedtest.run import speedtest
from shardmill.operations.sweep.run import sweep


@pytest.mark.slow
def test_the_tour(tmp_path: Path) -> None:
    said: list[str] = []
    result = demo(str(tmp_path / "a folder"), quick=True, say=said.append)
    assert result.verified.ok
    assert (result.prepared.listed, result.prepared.written, result.prepared.failed) == (122, 119, 3)
    assert result.shown.shown == 40
    assert result.spark_agrees is None
    assert said[-2:] == [f"Look at the contact sheet: {result.sheet}", f"Open the report:           {result.report}"]
    with Image.open(result.sheet) as sheet:
        assert sheet.format == "PNG"
    commands = [shlex.split(line)[1:] for line in said if line.startswith("   $ ")]
    assert [words[:2] for words in commands] == [
        ["shardmill", name] for name in ("prepare", "verify", "show", "speedtest", "model", "report")
    ]
    arguments, _ = COMMAND.parse(commands[0][2:])
    again = prepare(**arguments)
    assert again.already_complete  # the command that was told is the one that was run
    arguments, _ = SPEEDTEST.parse(commands[3][2:])
    assert speedtest(*arguments.pop("datasets"), **arguments).made == 0
    page = Path(result.report).read_text(encoding="utf-8")
    assert "times as fast as the source files" in page
    assert "data:image/jpeg" in page

    (tmp_path / "a folder/photos/mine.txt").touch()
    renewed = demo(str(tmp_path / "a folder"), quick=True)
    assert renewed.prepared.listed == 122
    assert not (tmp_path / "a folder/photos/mine.txt").exists()


@pytest.mark.slow
@pytest.mark.spark
def test_the_whole_tour_with_spark_and_clusters(tmp_path: Path) -> None:
    said: list[str] = []
    result = demo(str(tmp_path / "demo"), say=said.append)
    assert result.spark_agrees is True
    assert any("byte for byte" in line for line in said)
    assert result.machines is not None
    measured, predicted, picked = result.machines.measured, result.machines.predicted, result.machines.picked
    assert (measured.made, measured.left, {row.state for row in measured.rows}) == (4, 0, {"done"})
    assert all(row.predicted for row in predicted.rows)
    assert (len(picked.shapes), picked.best is not None) == (27, True)
    assert len(picked.trials) < 27
    page = Path(result.report).read_text(encoding="utf-8")
    assert "redicted" in page
    assert [line.split()[2] for line in said if line.startswith("   $ ")][-5:] == [
        *("model", "sweep", "sweep", "pick", "report")
    ]
    file = next(shlex.split(line)[3] for line in said if line.startswith("   $ shardmill sweep"))
    assert sweep(file, out=measured.out).made == 0  # the command that was told is the one that was run


def test_a_folder_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/mine.jpg").touch()
    with pytest.raises(UsageError, match="something else"):
        demo(str(tmp_path))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine.jpg", "photos"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot use"):
        demo(str(tmp_path / "file"))
