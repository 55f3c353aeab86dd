from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shardmill.cli.main import main
from shardmill.operations.prepare.result import PrepareResult
from tests.outputs import manifest
from tests.pictures import class_folder

FLAGS = "--size 32 --num-shards 4 --splits train=0.7,val=0.3 --max-errors 4 --workers 1"
Run = Callable[[str], tuple[list[str], str]]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-two images, of which three are bad, and a file that is none."""
    folder = class_folder(tmp_path_factory.mktemp("made") / "in", 12, odd=True)
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def done(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    dest = tmp_path_factory.mktemp("done") / "out"
    assert main(["prepare", str(source), str(dest), *FLAGS.split()]) == 0
    return dest


@pytest.fixture
def out(done: Path, tmp_path: Path) -> Path:
    return shutil.copytree(done, tmp_path / "out")


@pytest.fixture
def run(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Prepare `source` into `out`; the lines of stdout, and stderr."""

    def prepare(flags: str) -> tuple[list[str], str]:
        capsys.readouterr()  # what the fixtures told
        assert main(["prepare", str(source), str(tmp_path / "out"), *flags.split()]) == 0
        told = capsys.readouterr()
        return told.out.splitlines(), told.err

    return prepare


def assert_like(lines: list[str], patterns: list[str]) -> None:
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), line


@pytest.mark.oldest
def test_what_a_run_tells(run: Run, tmp_path: Path) -> None:
    lines, err = run(FLAGS)
    assert_like(
        lines,
        [
            rf"{tmp_path}/out: 19 records in 4 shards, [\d.]+ kB, [\d.]+ s \(\d+ images/s\)",
            r"  inputs   22 listed = 19 written \+ 0 skipped \+ 3 failed",
            r"  splits   train \d+, val \d+",
            r"  reasons  [a-z ]+ 1, [a-z ]+ 1, [a-z ]+ 1",
            r"           (ash|birch)/(truncated|empty|text)\.jpg: .+",
            r"           (ash|birch)/(truncated|empty|text)\.jpg: .+",
            r"           (ash|birch)/(truncated|empty|text)\.jpg: .+",
            r"  copies   1 exact duplicate(, 1 of them across splits: a leak)?; --drop-duplicates leaves them out",
            r"  ignored  \.txt 1: not images by name; --include takes them",
        ],
    )
    assert err.endswith(
        f"shardmill: 3 inputs failed; see {tmp_path}/out/_samples\n"
    )  # a slow machine tells progress too
    numbers = [int(number) for number in re.findall(r"\d+", lines[2])]
    assert sum(numbers) == 19


@pytest.mark.oldest
@pytest.mark.usefixtures("out")
def test_a_complete_set_is_told_so(run: Run, tmp_path: Path) -> None:
    lines, _ = run(FLAGS)
    assert lines == [
        f"{tmp_path}/out is already complete: 19 records in 4 shards.",
        "The source was not listed again; --on-exists overwrite starts anew.",
    ]


def test_a_run_that_goes_on_tells_what_was_there(run: Run, out: Path) -> None:
    (out / "_SUCCESS").unlink()
    (out / "_samples/part-00002.parquet").unlink()
    lines, _ = run(FLAGS)
    assert "  resumed  3 shards of an earlier run kept" in lines
    assert "  inputs   22 listed = 19 written + 0 skipped + 3 failed" in lines


@pytest.mark.oldest
def test_json_holds_the_whole_result(run: Run, tmp_path: Path) -> None:
    lines, err = run(f"{FLAGS} --json")
    result = json.loads("\n".join(lines))
    assert list(result) == [field.name for field in dataclasses.fields(PrepareResult)]
    assert (result["listed"], result["written"], result["skipped"], result["failed"]) == (22, 19, 0, 3)
    assert result["splits"] == manifest(tmp_path / "out")["data"]["splits"]
    assert len(result["failures"]) == 3
    assert err.endswith(f"shardmill: 3 inputs failed; see {tmp_path}/out/_samples\n")


def test_json_of_a_dry_run(run: Run, tmp_path: Path) -> None:
    lines, err = run(f"{FLAGS} --dry-run --json")
    result = json.loads("\n".join(lines))
    assert (result["dry_run"], result["listed"], result["shards"]) == (True, 22, 4)
    assert result["unlabelled"] == 0
    assert result["draft"]["sampled_images"] == 19
    assert err == ""
    assert not (tmp_path / "out").exists()


def test_what_a_dry_run_tells(run: Run, tmp_path: Path) -> None:
    lines, err = run("--size 32 --splits train=0.7,val=0.3 --dry-run")
    assert_like(
        lines,
        [
            rf"plan for {tmp_path}/out \(nothing was written\)",
            r"  inputs   22, \d+(\.\d)? kB",
            r"  classes  3",
            r"  splits   train \d+, val \d+",
            r"  shards   2, up to \d+ inputs each",
            r"  output   about [\d.]+ kB \([\d.]+ k?B a record, from 19 sampled images\)",
            r"  memory   about \d+ MB with \d+ workers?",
            r"  ignored  \.txt 1: not images by name; --include takes them",
        ],
    )
    assert err == ""
    assert not (tmp_path / "out").exists()


def test_what_a_dry_run_tells_of_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class_folder(tmp_path, 2)
    (tmp_path / "list.csv").write_text("file_name,label\n" + "ash/0000.jpg,x\n" * 3 + "birch/0001.jpg,\n")
    assert main(["prepare", str(tmp_path / "list.csv"), str(tmp_path / "out"), "--dry-run", "--num-shards", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == ["  inputs   4, sizes not known before reading", "  classes  1, 1 inputs unlabelled"]
    assert "  keys     2 repeats will be numbered ~2, ~3 …" in lines


def test_names_of_files_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = class_folder(tmp_path / "in", 3)
    (source / "ash/red\x1b[31m\n.jpg").touch()
    (source / "ash/x.\x1b[0m").touch()
    words = ["prepare", str(source), str(tmp_path / "out")]
    assert main(words) == 4
    told = capsys.readouterr().err
    assert r"ash/red\x1b[31m" in told
    assert "\x1b" not in told
    assert len(told.splitlines()) == 1
    assert main([*words, "--max-errors", "1"]) == 0
    told = capsys.readouterr().out
    assert r"           ash/red\x1b[31m\x0a.jpg: " in told
    assert r".\x1b[0m 1: not images by name" in told
    assert "\x1b" not in told
