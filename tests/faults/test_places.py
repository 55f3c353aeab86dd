"""Sources and destinations that fail: nothing is lost, nothing half-written, and the message says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shardmill.errors import ResumableError, UsageError
from shardmill.operations.prepare.run import prepare
from shardmill.storage import open_store
from tests.outputs import contents, outcomes, samples
from tests.pictures import class_folder, jpeg


def without_privileges(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the command so that permissions apply to it, also where the tests run as root."""
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    command = [*drop, sys.executable, "-m", "shardmill", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_full_disk_stops_and_resumes(tmp_path: Path) -> None:
    """In a user's own mount namespace, so that no rights are needed and nothing stays mounted."""
    source = class_folder(tmp_path / "in", 400)
    (tmp_path / "disk").mkdir()
    prepare(str(source), str(tmp_path / "calm"), size="64", num_shards="8")
    script = f"""
set -e
mount -t tmpfs -o size=1200k tmpfs disk
{sys.executable} -m shardmill prepare in disk --size 64 --num-shards 8 --workers 1 || echo "exit $?"
mkdir kept && cp -r disk/. kept/
"""
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "exit 3\n"
    assert "no space left" in done.stderr
    assert "run the same command again" in done.stderr
    kept = tmp_path / "kept"
    committed = len(list(kept.glob("_samples/part-*")))
    assert 0 < committed < 8
    assert not (kept / "_SUCCESS").exists()
    calm = contents(tmp_path / "calm")
    whole = [
        path for path in kept.glob("*.tfrecord") if path.read_bytes() == (tmp_path / "calm" / path.name).read_bytes()
    ]
    assert len(whole) == len(list(kept.glob("*.tfrecord"))), "a final name stands for half a file"
    result = prepare(str(source), str(kept), size="64", num_shards="8", workers=1)
    assert result.resumed_shards == committed
    assert contents(kept) == calm


def test_unreadable_file_is_a_named_failure(tmp_path: Path) -> None:
    source = class_folder(tmp_path / "in", 12)
    (source / "ash/0000.jpg").chmod(0)
    done = without_privileges(["prepare", str(source), str(tmp_path / "out"), "--max-errors", "1"])
    assert done.returncode == 0, done.stderr
    failed = [row for row in samples(tmp_path / "out") if row["status"] == "failed"]
    assert [(row["key"], row["reason"]) for row in failed] == [("ash/0000.jpg", "permission_denied")]


def test_dest_not_writable(tmp_path: Path) -> None:
    source = class_folder(tmp_path / "in", 3)
    (tmp_path / "out").mkdir(mode=0o555)
    done = without_privileges(["prepare", str(source), str(tmp_path / "out")])
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "Choose a DEST that you may write to" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_dest_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="cannot write"):
        prepare(str(class_folder(tmp_path / "in", 3)), str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "mine"


def test_dest_with_strangers(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"not empty \(thesis\.txt\)"):
        prepare(str(class_folder(tmp_path / "in", 3)), str(tmp_path / "out"))


def test_a_second_run_on_one_dest_refuses(tmp_path: Path) -> None:
    source, dest = class_folder(tmp_path / "in", 6), tmp_path / "out"
    with open_store(str(dest)).lock(), pytest.raises(UsageError, match="another run is writing"):
        prepare(str(source), str(dest))
    assert prepare(str(source), str(dest)).written == 6


def test_source_that_changes_after_planning(tmp_path: Path) -> None:
    source, dest = class_folder(tmp_path / "in", 12), tmp_path / "out"

    def spoil(event: dict[str, object]) -> None:
        if event["event"] == "planned":
            (source / "ash/0000.jpg").write_bytes(jpeg(99, 200, 200))
            (source / "ash/0003.jpg").unlink()

    prepare(str(source), str(dest), on_event=spoil, max_errors="2")
    failed = {row["key"]: row["reason"] for row in samples(dest) if row["status"] == "failed"}
    assert failed == {"ash/0000.jpg": "changed", "ash/0003.jpg": "not_found"}


def test_folder_that_vanishes_and_comes_back(tmp_path: Path) -> None:
    source, dest = class_folder(tmp_path / "in", 30), tmp_path / "out"
    prepare(str(source), str(tmp_path / "calm"), num_shards="4")

    def vanish(event: dict[str, object]) -> None:
        if event["event"] == "planned":
            (source / "birch").rename(tmp_path / "away")

    result = prepare(str(source), str(dest), num_shards="4", on_event=vanish, max_errors="10")
    assert (result.written, result.failed) == (20, 10)
    assert {key.partition("/")[0] for key, status in outcomes(dest).items() if status == "failed"} == {"birch"}
    (tmp_path / "away").rename(source / "birch")
    prepare(str(source), str(dest), num_shards="4", retry_failed=True)
    assert contents(dest) == contents(tmp_path / "calm")


def test_other_options_on_the_same_dest(tmp_path: Path) -> None:
    source, dest = class_folder(tmp_path / "in", 6), tmp_path / "out"
    prepare(str(source), str(dest))
    with pytest.raises(UsageError, match=r"begun with other options \(--quality 95 then, 90 now\)"):
        prepare(str(source), str(dest), quality=90)
    with pytest.raises(UsageError, match="already holds a data set"):
        prepare(str(source), str(dest), on_exists="fail")
    assert prepare(str(source), str(dest)).already_complete
    (dest / "notes.txt").write_text("mine")
    assert prepare(str(source), str(dest), quality=90, num_shards="2", on_exists="overwrite").shards == 2
    assert (dest / "notes.txt").read_text() == "mine"
    assert len(list(dest.glob("*.tfrecord"))) == 2


def test_moved_source(tmp_path: Path) -> None:
    source, dest = class_folder(tmp_path / "in", 6), tmp_path / "out"
    prepare(str(source), str(dest))
    shutil.move(source, tmp_path / "moved")
    with pytest.raises(UsageError, match="--moved"):
        prepare(str(tmp_path / "moved"), str(dest))
    assert prepare(str(tmp_path / "moved"), str(dest), moved=True).already_complete


def test_a_damaged_committed_shard_is_made_again(tmp_path: Path) -> None:
    source, dest = class_folder(tmp_path / "in", 12), tmp_path / "out"
    prepare(str(source), str(dest), num_shards="3")
    calm = contents(dest)
    (dest / "train-00001-of-00003.tfrecord").write_bytes(b"half")
    (dest / "_SUCCESS").unlink()
    result = prepare(str(source), str(dest), num_shards="3")
    assert result.resumed_shards == 2
    assert contents(dest) == calm


def test_events_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--events"):
        prepare(
            str(class_folder(tmp_path / "in", 3)), str(tmp_path / "out"), events=str(tmp_path / "no/such/folder.jsonl")
        )


def test_reading_errors_of_the_disk_are_not_image_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO cannot be made here without a block device of our own, so it is raised where the kernel would raise it."""
    import errno

    from shardmill.storage import local

    def broken_read(path: str, start: int | None, length: int | None) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    monkeypatch.setattr(local, "_read", broken_read)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(ResumableError, match=r"cannot read x\.jpg: Input/output error"):
        open_store(str(tmp_path)).read("x.jpg")
