"""What is told of wrong requests: one line that says what to do, the right exit code, and nothing is written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import shardmill
from shardmill.cli.main import COMMANDS, main
from shardmill.operations.prepare.run import prepare
from tests.pictures import class_folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the words of the tables name."""
    root = tmp_path_factory.mktemp("made")
    class_folder(root / "photos", 6)
    (root / "empty").mkdir()
    (root / "texts").mkdir()
    (root / "texts/notes.txt").write_text("no image")
    (root / "list.csv").write_text("file_name,species\nphotos/ash/0000.jpg,ash\nphotos/birch/0001.jpg,birch\n")
    (root / "labels.txt").write_text("ash\nbirch\n")
    (root / "twice.txt").write_text("ash\nash\n")
    (root / "list.csv.gz").write_bytes(b"\x1f\x8b")
    (root / "strangers").mkdir()
    (root / "strangers/thesis.txt").write_text("mine")
    prepare(str(root / "photos"), str(root / "done"), size="32")
    shutil.copytree(root / "done", root / "unfinished")
    (root / "unfinished/_SUCCESS").unlink()
    return root


@pytest.fixture
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    return made


def state(root: Path) -> dict[str, int | None]:
    """Everything below `root`, with the time of each file's last change."""
    return {str(path): None if path.is_dir() else path.lstat().st_mtime_ns for path in root.rglob("*")}


WRONG = [
    # size and the other options of images
    ("prepare photos out --size big", 2, r"--size big is not a size; write it like 224 or 640x480"),
    ("prepare photos out --size 0", 2, r"--size 0 is out of range; JPEG holds sides of 1 to 65500 pixels"),
    ("prepare photos out --quality 0", 2, r"--quality is 0; it takes a number of at least 1"),
    ("prepare photos out --quality 101", 2, r"--quality is 101; it takes a number of at most 100"),
    ("prepare photos out --min-size -1", 2, r"--min-size is -1; it takes a number of at least 0"),
    ("prepare photos out --max-area 0", 2, r"--max-area is 0; it takes a number of at least 1"),
    ("prepare photos out --max-aspect 0.5", 2, r"--max-aspect is 0\.5; it takes a number of at least 1"),
    ("prepare photos out --max-aspect nan", 2, r"--max-aspect is nan; it takes a number of at least 1"),
    ("prepare photos out --max-pixels 0", 2, r"--max-pixels is 0; it takes a number of at least 1"),
    ("prepare photos out --max-source-bytes 0", 2, r"--max-source-bytes is 0; it takes a number of at least 1"),
    ("prepare photos out --background blurple", 2, r"--background blurple is not a colour; write white, #808080 or"),
    ("prepare photos out --background 300,0,0", 2, r"--background 300,0,0 is out of range; each of R,G,B is 0 to 255"),
    # shards and splits
    ("prepare photos out --num-shards 0", 2, r"--num-shards 0 takes numbers of at least 1"),
    ("prepare photos out --num-shards 4 --samples-per-shard 2", 2, r"exclude each other; give one of them"),
    ("prepare photos out --max-shard-size 64XB", 2, r"'64XB' is not a size; write it like 128MB"),
    ("prepare photos out --splits train=0.9,val=0.2", 2, r"add up to 1; write it like train=0\.9,val=0\.1"),
    ("prepare photos out --splits train=0.9,v/l=0.1", 2, r"'v/l' cannot name a split; use letters, digits"),
    ("prepare photos out --splits a=0.5,b=0.5 --num-shards 1", 2, r"fewer than the 2 splits; each needs at least one"),
    ("prepare photos out --num-shards trian=4", 2, r"names a split that has no inputs: trian; there are: train"),
    ("prepare photos out --limit 0", 2, r"--limit is 0; it takes a number of at least 1"),
    ("prepare photos out --tfds Nice-Name!", 2, r"'Nice-Name!' cannot name a tfds data set; use letters, digits"),
    # the source
    ("prepare phots out", 2, r"phots does not exist \(did you mean 'photos'\?\); give a folder"),
    ("prepare empty out", 2, r"no images found in .*empty\. Check the path, or name the files with --include"),
    ("prepare texts out", 2, r"no images found in .*1 other files? \(1 \.txt\)"),
    ("prepare list.csv.gz out", 2, r"is compressed, .* run gunzip on it first"),
    ("prepare photos/ash/0000.jpg out", 2, r"is an image; give the folder that holds it"),
    ("prepare gsx://bucket/photos out", 2, r"gsx:// is not known: gsx://bucket/photos\. Did you mean gs://\?"),
    ("prepare https://host/photos out", 2, r"https:// is not supported: .*mount what it names, and name the mount"),
    ("prepare photos out --label-col x", 2, r"--label-col means nothing for .*; give what fits it: --include, --layout"),
    ("prepare list.csv out --label-col genus", 2, r"genus.*species"),
    ("prepare photos out --labels-file nowhere.txt", 2, r"cannot read the labels file nowhere\.txt"),
    ("prepare photos out --labels-file twice.txt", 2, r"names 'ash' twice; it holds one class name a line"),
    ("prepare photos out --labels-file labels.txt", 2, r"labels not in the labels file: cedar\. Add them to it"),
    # the destination
    ("prepare photos s3:/bucket/out", 2, r"is no URL; write it with two slashes: s3://bucket/out"),
    ("prepare photos photos", 2, r"is not empty \(ash/0000\.jpg.*choose an empty or a new folder as DEST"),
    ("prepare photos labels.txt", 2, r"cannot write .*Choose a DEST that you may write to"),
    ("prepare photos strangers", 2, r"is not empty \(thesis\.txt\).*choose an empty or a new folder as DEST"),
    ("prepare photos strangers --on-exists overwrite", 2, r"is not empty \(thesis\.txt\)"),
    ("prepare photos done --size 64", 2, r"begun with other options \(--size 32x32 then, 64x64 now\); repeat those"),
    ("prepare photos done --size 32 --on-exists fail", 2, r"already holds a data set; choose another DEST"),
    ("prepare list.csv done --size 32", 2, r"--on-exists overwrite"),
    # the run
    ("prepare photos out --workers 0", 2, r"--workers is 0; it takes a number of at least 1"),
    ("prepare photos out --master local[2]", 2, r"--master is for --engine spark; add that, or use --workers"),
    ("prepare photos out --partitions 4", 2, r"--partitions is for --engine spark"),
    ("prepare photos out --engine spark --workers 2", 2, r"--workers is for --engine local"),
    ("prepare photos out --engine dask", 2, r"unknown engine 'dask'; choose one of: local, spark"),
    ("prepare photos out --format zarr", 2, r"unknown format 'zarr'; choose one of: parquet, tfrecord, webdataset"),
    ("prepare photos out --max-errors few", 2, r"'few' is not a limit; write a count like 10 or a percentage like 1%"),
    ("prepare photos out --max-errors 101%", 2, r"'101%' is not a limit"),
    ("prepare photos out --image-timeout 0", 2, r"--image-timeout is 0\.0; it takes"),
    ("prepare photos out --worker-memory lots", 2, r"'lots' is not a size"),
    ("prepare photos out --worker-memory 1", 2, r"--worker-memory is 1; it takes a number of at least"),
    ("prepare photos out --events no/such/folder/x", 2, r"cannot write events to .*Choose another file for --events"),
    # the other commands
    ("verify nowhere", 2, r"there is nothing at nowhere; name a folder, a shard or a pattern"),
    ("verify empty", 2, r"empty holds no shard"),
    ("verify gsx://bucket/x", 2, r"gsx://"),
    ("verify done --quick --repair", 2, r"--repair has to read every record; leave --quick away"),
    ("verify done --workers 0", 2, r"--workers is 0; it takes a number of at least 1"),
    ("verify done --worker-memory lots", 2, r"'lots' is not a size"),
    ("verify done --image-timeout -1", 2, r"--image-timeout is -1\.0; it takes"),
    ("show nowhere", 2, r"there is nothing at nowhere"),
    ("show done --count 0", 2, r"--count is 0; it takes a number from 1 to 2000"),
    ("show done --output sheet.jpg", 2, r"--output sheet\.jpg is no PNG; give a name that ends in \.png"),
    ("show done --output no/such/sheet.png", 2, r"cannot write no/such/sheet\.png: .*Choose another file with --output"),
    ("show unfinished", 5, r"is not finished .*run the same prepare command again"),
    ("demo strangers", 2, r"strangers holds something else; name an empty or a new folder for the demo"),
    ("demo labels.txt", 2, r"labels\.txt"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "code", "remedy"), WRONG, ids=[words for words, _, _ in WRONG])
def test_wrong_request(words: str, code: int, remedy: str, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = state(here)
    assert main(words.split()) == code
    told = capfd.readouterr()
    assert told.out == ""
    (line,) = [line for line in told.err.splitlines() if not line.startswith("listing:")]  # progress, on a slow machine
    assert line.startswith("shardmill: ")
    assert line[len("shardmill: ") :].strip()[-1] not in ":;,"
    assert_matches(remedy, line)
    assert state(here) == before


def assert_matches(pattern: str, line: str) -> None:
    with pytest.raises(AssertionError, match=pattern):
        raise AssertionError(line)


MISSPELT = [
    ("prepare", r"the following arguments are required: SOURCE, DEST"),
    ("prepare photos", r"the following arguments are required: DEST"),
    ("prepare photos out more", r"unrecognized arguments: more"),
    ("prepare photos out --sise 224", r"unrecognized arguments: --sise 224"),
    ("prepare photos out --siz 224", r"unrecognized arguments: --siz 224"),
    ("prepare photos out --seed x", r"argument --seed: invalid int value: 'x'"),
    ("prepare photos out --resize-mode crop", r"argument --resize-mode: invalid choice: 'crop'"),
    ("prepare photos out --quality", r"argument --quality: expected one argument"),
    ("prepare photos out --dry-run=yes", r"argument --dry-run: ignored explicit argument 'yes'"),
    ("verify", r"the following arguments are required: DEST"),
    ("verify done --workers two", r"argument --workers: invalid int value: 'two'"),
    ("show", r"the following arguments are required: DEST"),
    ("doctor now", r"unrecognized arguments: now"),
    ("demo a b", r"unrecognized arguments: b"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), MISSPELT, ids=[words for words, _ in MISSPELT])
def test_misspelt_request(words: str, message: str, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = state(here)
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    told = capfd.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    command = f"shardmill {words.split()[0]}"
    assert line.startswith(f"{command}: ")
    assert line.endswith(f"; see {command} --help")
    assert_matches(message, line)
    assert state(here) == before


def test_no_such_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["prepair", "photos", "out"])
    assert ended.value.code == 2
    choices = ", ".join(COMMANDS)
    told = capsys.readouterr().err
    assert told == f"shardmill: no command 'prepair'; choose one of: {choices}; see shardmill --help\n"


def test_no_such_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--verbose"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "shardmill: unrecognized arguments: --verbose; see shardmill --help\n"


@pytest.mark.oldest
def test_nothing_asked_for_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    told = capsys.readouterr()
    assert all(f"\n  {name} " in told.out for name in COMMANDS)
    assert "exit codes: 0 done" in told.out
    assert told.err == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: shardmill {name} ")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"shardmill {shardmill.__version__}\n"


def run_module(words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shardmill", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60, check=False)


@pytest.mark.oldest
def test_as_a_process(here: Path) -> None:
    """What the tables check within this process, with all that an interpreter adds at its end."""
    done = run_module(["verify", "nowhere"], here)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert run_module(["verify", "done", "--quick"], here).returncode == 0


@pytest.mark.oldest
def test_damage_is_exit_5(here: Path) -> None:
    done = run_module(["verify", "unfinished", "--json"], here)
    assert (done.returncode, done.stderr) == (5, "")
    assert [finding["kind"] for finding in json.loads(done.stdout)["findings"]] == ["incomplete"]


def test_a_reader_that_has_read_enough(here: Path) -> None:
    """`shardmill ... | head -0`."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "shardmill", "verify", "done", "--quick"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, cwd=here, timeout=60, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
