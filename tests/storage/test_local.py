from __future__ import annotations

import fcntl
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shardmill.errors import ResumableError, UsageError
from shardmill.storage import Entry, Store, UnreadableError, open_store
from shardmill.storage.open import scheme_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "root"))


def write(store: Store, path: str, content: bytes = b"x") -> None:
    with store.publish(path) as file:
        file.write(content)


def files_in(store: Store) -> list[str]:
    return sorted(str(path.relative_to(store.root)) for path in Path(store.root).rglob("*") if not path.is_dir())


def fail_half_way(store: Store, path: str, error: type[BaseException]) -> None:
    with store.publish(path) as file:
        file.write(b"half")
        raise error


class TestPublish:
    @pytest.mark.oldest
    def test_appears_when_the_block_ends(self, store: Store) -> None:
        with store.publish("a/b.bin") as file:
            file.write(b"one")
            assert store.size("a/b.bin") is None
        assert store.read("a/b.bin") == b"one"
        assert files_in(store) == ["a/b.bin"]

    @pytest.mark.oldest
    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, UsageError])
    def test_an_error_inside_leaves_nothing(self, error: type[BaseException], store: Store) -> None:
        with pytest.raises(error):
            fail_half_way(store, "a/b.bin", error)
        assert files_in(store) == []

    def test_an_error_inside_leaves_the_old_file(self, store: Store) -> None:
        write(store, "x", b"old")
        with pytest.raises(KeyError):
            fail_half_way(store, "x", KeyError)
        assert store.read("x") == b"old"
        assert files_in(store) == ["x"]

    def test_replaces_as_a_whole(self, store: Store) -> None:
        write(store, "x", b"old" * 1000)
        with store.open("x") as reader:
            assert reader.read(3) == b"old"
            write(store, "x", b"new")
            assert reader.read() == b"old" * 999
        assert store.read("x") == b"new"

    def test_written_at_once_by_many(self, store: Store) -> None:
        """As retried and speculative tasks do: whoever looks sees one of the files, never a mixture."""
        contents = {bytes([65 + writer]) * (200_000 + writer) for writer in range(6)}
        write(store, "x", min(contents))
        over = threading.Event()
        seen: set[bytes] = set()

        def look() -> None:
            while not over.is_set():
                seen.add(store.read("x"))

        def publish(content: bytes) -> None:
            for _ in range(5):
                write(store, "x", content)

        reader = threading.Thread(target=look)
        writers = [threading.Thread(target=publish, args=(content,)) for content in contents]
        for thread in (reader, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        over.set()
        reader.join()
        assert seen <= contents
        assert store.read("x") in contents
        assert files_in(store) == ["x"]

    def test_files_within_files(self, store: Store) -> None:
        with store.publish("outer") as outer:
            write(store, "inner")
            outer.write(b"y")
        assert files_in(store) == ["inner", "outer"]

    def test_readable_for_whom_new_files_are(self, store: Store) -> None:
        write(store, "x")
        (Path(store.root) / "plain").touch()
        assert (Path(store.root) / "x").stat().st_mode == (Path(store.root) / "plain").stat().st_mode

    @pytest.mark.parametrize("path", ["x/below", "folder", "n" * 300])
    def test_where_no_file_can_be(self, path: str, store: Store) -> None:
        write(store, "x")
        write(store, "folder/y")
        with pytest.raises(UsageError, match=r"cannot write .*Choose a DEST that you may write to\."):
            write(store, path)
        assert files_in(store) == ["folder/y", "x"]

    def test_root_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UsageError, match="cannot write x"):
            write(open_store(str(tmp_path / "file")), "x")


class TestRead:
    @pytest.mark.oldest
    @given(start=st.none() | st.integers(0, 120), length=st.none() | st.integers(0, 120))
    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_ranges_are_those_of_slices(self, start: int | None, length: int | None, store: Store) -> None:
        content = bytes(range(100))
        if store.size("x") is None:
            write(store, "x", content)
        end = None if length is None else (start or 0) + length
        assert store.read("x", start, length) == content[start:end]

    def test_empty_file(self, store: Store) -> None:
        write(store, "x", b"")
        assert store.read("x") == store.read("x", 5, 5) == b""
        assert store.size("x") == 0

    def test_open_is_seekable(self, store: Store) -> None:
        write(store, "x", b"0123456789")
        with store.open("x") as file:
            file.seek(-3, os.SEEK_END)
            assert file.read() == b"789"

    def test_paths_that_stand_for_themselves(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").write_bytes(b"there")
        assert store.read(str(tmp_path / "elsewhere")) == b"there"

    @pytest.mark.timeout(20)
    @pytest.mark.parametrize("way", ["read", "open"])
    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("absent", "not_found"),
            ("x/below", "not_found"),
            ("folder", "not_a_file"),
            ("pipe", "not_a_file"),  # nobody writes to it: opening it waits for ever
            ("loop", "not_a_file"),
            ("dangling", "not_found"),
            ("n" * 300, "name_too_long"),
        ],
    )
    def test_what_no_retry_mends(self, way: str, path: str, reason: str, store: Store) -> None:
        root = Path(store.root)
        write(store, "x")
        (root / "folder").mkdir()
        os.mkfifo(root / "pipe")
        (root / "loop").symlink_to("loop")
        (root / "dangling").symlink_to("nowhere")
        with pytest.raises(UnreadableError) as caught:
            getattr(store, way)(path)
        assert (caught.value.reason, caught.value.path) == (reason, path)
        told = f"cannot read {path}: {reason.replace('_', ' ')}. Check the path and its permissions."
        assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value))) == told

    def test_forbidden(self, store: Store) -> None:
        write(store, "closed/x")
        write(store, "y")
        (Path(store.root) / "y").chmod(0)
        (Path(store.root) / "closed").chmod(0)
        program = f"""
from shardmill.storage import UnreadableError, open_store
store = open_store({store.root!r})
for ask in (store.read, store.open, store.size, lambda path: list(store.list())):
    try:
        ask("closed/x")
    except UnreadableError as error:
        print(error.reason)
try:
    store.read("y")
except UnreadableError as error:
    print(error.reason)
"""
        drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
        command = [*drop, sys.executable, "-c", program]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        finally:
            (Path(store.root) / "closed").chmod(0o700)
        assert (done.stdout.split(), done.stderr) == (["permission_denied"] * 5, "")

    def test_size_of_what_is_not_there(self, store: Store) -> None:
        write(store, "x")
        (Path(store.root) / "loop").symlink_to("loop")
        assert [store.size(path) for path in ("x", "absent", "x/below", "loop")] == [1, None, None, None]


class TestList:
    @pytest.mark.oldest
    def test_sorted_within_each_folder_and_hidden_ones_too(self, store: Store) -> None:
        for path in ("b/2", "b/10", "a.txt", "b/.hidden", ".git/x", "B", "a/c/d", "a/b", "ä"):
            write(store, path, b"content")
        (Path(store.root) / "empty").mkdir()
        paths = [entry.path for entry in store.list()]
        assert [path for path in paths if not path.startswith("_tmp")] == [
            ".git/x",
            "B",
            "a/b",
            "a/c/d",
            "a.txt",
            "b/.hidden",
            "b/10",
            "b/2",
            "ä",
        ]
        assert {entry.size for entry in store.list()} == {7}

    def test_below_a_folder(self, store: Store) -> None:
        for path in ("a/x", "a/b/y", "ab/z"):
            write(store, path)
        assert list(store.list("a")) == list(store.list("a/")) == [Entry("a/b/y", 1), Entry("a/x", 1)]

    def test_links(self, store: Store, tmp_path: Path) -> None:
        write(store, "real/x", b"12345")
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside/o").touch()
        links = {
            "dangling": "nowhere",
            "file": "real/x",
            "loop": "loop",
            "outside": str(tmp_path / "outside"),
            "real/up": "..",
            "self": ".",
        }
        for name, target in links.items():
            (Path(store.root) / name).symlink_to(target)
        assert list(store.list()) == [
            Entry("dangling", None),
            Entry("file", 5),
            Entry("loop", None),
            Entry("outside/o", 0),
            Entry("real/x", 5),
        ]

    def test_names_that_are_not_utf8(self, store: Store) -> None:
        Path(store.root).mkdir()
        Path(os.fsdecode(os.fsencode(store.root) + b"/\xff.jpg")).write_bytes(b"odd")
        (entry,) = store.list()
        assert store.read(entry.path) == b"odd"

    @pytest.mark.parametrize(("path", "reason"), [("absent", "not_found"), ("x", "not_found"), ("loop", "not_a_file")])
    def test_what_is_no_folder(self, path: str, reason: str, store: Store) -> None:
        write(store, "x")
        (Path(store.root) / "loop").symlink_to("loop")
        with pytest.raises(UnreadableError) as caught:
            list(store.list(path))
        assert caught.value.reason == reason


class TestRemove:
    def test_what_is_there_and_what_is_not(self, store: Store) -> None:
        write(store, "a/x")
        store.remove("a/x")
        store.remove("a/x")
        store.remove("never/there")
        assert files_in(store) == []

    def test_a_link_and_not_what_it_names(self, store: Store) -> None:
        write(store, "x")
        (Path(store.root) / "link").symlink_to("x")
        store.remove("link")
        assert files_in(store) == ["x"]


@contextmanager
def held_elsewhere(root: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it dies."""
    program = (
        f"import time; from shardmill.storage import open_store\n"
        f"with open_store({root!r}).lock(): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


class TestLock:
    @pytest.mark.oldest
    def test_excludes_another_process_until_it_is_killed(self, store: Store) -> None:
        with held_elsewhere(store.root) as other:
            with pytest.raises(UsageError, match=r"another run is writing to .*; wait for it to end"), store.lock():
                pass
            other.send_signal(signal.SIGKILL)
            other.wait()
            with store.lock():
                pass

    def test_excludes_this_process(self, store: Store) -> None:
        with store.lock():
            with pytest.raises(UsageError, match="another run"), open_store(store.root).lock():
                pass
            write(store, "x")
        with store.lock():
            assert store.read("x") == b"x"

    def test_released_by_an_error(self, store: Store) -> None:
        with pytest.raises(KeyError), store.lock():
            raise KeyError
        with store.lock():
            pass

    def test_children_do_not_keep_it(self, store: Store) -> None:
        with ExitStack() as stack:
            with store.lock():
                child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
                stack.callback(child.communicate)
            with store.lock():
                assert child.poll() is None

    def test_clears_what_a_killed_run_left(self, store: Store) -> None:
        write(store, "whole")
        scratch = Path(store.root) / "_tmp"
        scratch.mkdir(exist_ok=True)
        (scratch / "half").write_bytes(b"rubbish")
        with store.lock():
            assert files_in(store) == ["_lock", "whole"]
            write(store, "more")
        assert not scratch.exists()

    def test_leaves_no_trace_where_nothing_was_written(self, store: Store) -> None:
        with store.lock():
            assert Path(store.root).is_dir()
        assert not Path(store.root).exists()
        Path(store.root, "mine").mkdir(parents=True)
        with store.lock():
            pass
        assert [path.name for path in Path(store.root).iterdir()] == ["mine"]

    def test_root_that_vanishes_meanwhile(self, store: Store) -> None:
        with store.lock():
            shutil.rmtree(store.root)

    def test_a_lock_that_is_removed_between_opening_and_locking(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run that ends having written nothing removes it; two that come then must not hold two files of that name."""
        real = fcntl.flock

        def removed_first(file: BinaryIO, operation: int) -> None:
            (Path(store.root) / "_lock").unlink()
            real(file, operation)

        monkeypatch.setattr(fcntl, "flock", removed_first)
        with pytest.raises(UsageError, match="another run"), store.lock():
            pass
        monkeypatch.undo()
        with store.lock():
            pass

    @pytest.mark.parametrize("root", ["file", "file/below"])
    def test_where_no_folder_can_be(self, root: str, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UsageError, match="cannot write"), open_store(str(tmp_path / root)).lock():
            pass


class TestOpenStore:
    @pytest.mark.parametrize(
        ("url", "scheme"),
        [("gs://b/x", "gs"), ("S3://b", "s3"), ("/a/b", ""), ("a:b", ""), ("C://x", ""), ("hdfs+x://y", "hdfs+x")],
    )
    def test_scheme(self, url: str, scheme: str) -> None:
        assert scheme_of(url) == scheme

    @pytest.mark.parametrize(
        ("url", "told"),
        [
            ("https://host/x", r"is not supported: .*Use a local path, gs:// or s3://; or mount"),
            ("hdfs://host/x", r"is not supported: .*Use a local path"),
            ("gz://bucket/x", r"gz:// is not known: gz://bucket/x\. Did you mean gs://\?"),
            ("S4://bucket/x", r"s4:// is not known: S4://bucket/x\. Did you mean s3://\?"),
            ("gs:/bucket/x", r"is no URL; write it with two slashes: gs://bucket/x"),
            ("s3:bucket/x", r"is no URL; write it with two slashes: s3://bucket/x"),
            ("gs://", r"gs:// names no bucket; write it like gs://bucket/folder"),
        ],
    )
    def test_stores_that_are_not_supported(self, url: str, told: str) -> None:
        with pytest.raises(UsageError, match=told):
            open_store(url)

    @pytest.mark.parametrize(
        ("url", "root"),
        [("gs://b/", "gs://b"), ("gcs://b/x/y/", "gs://b/x/y"), ("s3a://b/x", "s3://b/x"), ("GS://b//x", "gs://b/x")],
    )
    def test_object_stores(self, url: str, root: str) -> None:
        assert open_store(url).root == root

    def test_roots_are_absolute(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert open_store("x").root == open_store(f"file://{tmp_path}/x").root == str(tmp_path / "x")
        assert open_store("~/x").root == str(tmp_path / "home/x")

    def test_pickles(self, store: Store) -> None:
        write(store, "x", b"there")
        assert pickle.loads(pickle.dumps(store)).read("x") == b"there"


def test_a_disk_that_fails_is_tried_again_and_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO cannot be made here, so it is raised where the kernel would raise it."""
    write(store, "x", b"content")
    real, failures = os.read, 2

    def failing(descriptor: int, length: int) -> bytes:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise OSError(5, "Input/output error")
        return real(descriptor, length)

    monkeypatch.setattr("shardmill.storage.local.os.read", failing)
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert store.read("x") == b"content"
    failures = 3
    with pytest.raises(ResumableError, match=r"cannot read x: Input/output error.*run the same command again"):
        store.read("x")
