"""What every object store must do, held against a real server of each kind."""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shardmill.errors import ResumableError, UsageError
from shardmill.storage import Entry, Store, UnreadableError, open_store, parse_settings
from shardmill.storage.object_store import PART_BYTES, ObjectStore
from shardmill.storage.objects import ABSENT, ConditionError
from shardmill.storage.retry import retries_so_far
from tests.faults.fault_proxy import FaultProxy, Faults, fault_proxy
from tests.stores import StoreServer


@pytest.fixture
def store(store_server: StoreServer, bucket: str) -> ObjectStore:
    found = open_store(f"{store_server.scheme}://{bucket}/root", parse_settings(store_server.options, 10.0))
    assert isinstance(found, ObjectStore)
    return found


@pytest.fixture
def proxy(store_server: StoreServer) -> Iterator[FaultProxy]:
    with fault_proxy(store_server.endpoint) as running:
        yield running


@pytest.fixture
def behind(store: ObjectStore, store_server: StoreServer, proxy: FaultProxy) -> ObjectStore:
    """`store`, reached through the proxy, with little patience."""
    return ObjectStore(store.root, parse_settings(store_server.at(proxy.endpoint).options, 2.0))


def write(store: Store, path: str, content: bytes = b"x") -> None:
    with store.publish(path) as file:
        file.write(content)


def fail_half_way(store: Store, path: str, error: type[BaseException]) -> None:
    with store.publish(path) as file:
        file.write(b"half")
        raise error


def write_while_another_does(store: Store, path: str) -> None:
    with store.publish(path) as file:
        file.write(b"mine")
        write(store, path, b"theirs")


def hold_until_taken_over(store: ObjectStore) -> None:
    with store.lock():
        first = store.read("_lock")
        while store.read("_lock") == first:
            pass
        write_over(store, "_lock", b"theirs")
        time.sleep(0.5)  # for a few heartbeats


def read_in_child(store: Store, path: str) -> bytes:
    return store.read(path)


class TestFiles:
    @pytest.mark.oldest
    def test_publish_read_list_remove(self, store: ObjectStore) -> None:
        with store.publish("a/b c#?%.bin") as file:
            file.write(b"0123456789")
            assert store.size("a/b c#?%.bin") is None
        assert store.size("a/b c#?%.bin") == 10
        assert store.read("a/b c#?%.bin") == b"0123456789"
        assert list(store.list()) == [Entry("a/b c#?%.bin", 10)]
        write(store, "a/b c#?%.bin", b"other")
        assert store.read("a/b c#?%.bin") == b"other"
        store.remove("a/b c#?%.bin")
        store.remove("a/b c#?%.bin")
        assert store.size("a/b c#?%.bin") is None
        assert list(store.list()) == []

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_an_error_inside_publishes_nothing(self, error: type[BaseException], store: ObjectStore) -> None:
        with pytest.raises(error):
            fail_half_way(store, "x", error)
        assert list(store.list()) == []

    @pytest.mark.parametrize("start", [None, 0, 1, 9, 10, 50])
    @pytest.mark.parametrize("length", [None, 0, 1, 5, 10, 50])
    def test_ranges_are_those_of_slices(self, start: int | None, length: int | None, store: ObjectStore) -> None:
        write(store, "x", b"0123456789")
        end = None if length is None else (start or 0) + length
        assert store.read("x", start, length) == b"0123456789"[start:end]

    def test_empty_file(self, store: ObjectStore) -> None:
        write(store, "x", b"")
        assert store.read("x") == store.read("x", 5, 5) == b""
        assert store.size("x") == 0
        with store.open("x") as file:
            assert file.read() == b""

    def test_in_parts(self, store: ObjectStore, store_server: StoreServer) -> None:
        content = os.urandom(1 << 20) * 33 + b"end"
        assert len(content) > PART_BYTES
        write(store, "big", content)
        assert store_server.get(store.bucket, "root/big") == content
        found = store.facts("big")
        assert found is not None
        assert (found.size, found.md5) == (len(content), hashlib.md5(content).hexdigest())

    def test_what_is_not_there(self, store: ObjectStore) -> None:
        assert store.size("absent") is None
        assert store.size("") is None
        assert list(store.list("absent")) == []
        for way in (store.read, store.open, lambda path: store.read(path, 3, 0)):
            with pytest.raises(UnreadableError) as caught:
                way("absent")
            assert (caught.value.reason, caught.value.path) == ("not_found", "absent")
        write(store, "x")
        assert store.size("") == 0


class TestOpen:
    def test_seeks_as_a_file_does(self, store: ObjectStore) -> None:
        content = os.urandom(3_000_000)
        write(store, "x", content)
        with store.open("x") as file:
            assert file.read(10) == content[:10]
            assert file.seek(-7, os.SEEK_END) == len(content) - 7
            assert file.read() == content[-7:]
            file.seek(1_000_000)
            assert file.read(1_500_000) == content[1_000_000:2_500_000]
            file.seek(0)
            assert hashlib.file_digest(file, "sha256").digest() == hashlib.sha256(content).digest()  # type: ignore[arg-type]

    def test_front_to_back_takes_few_requests(self, behind: ObjectStore, proxy: FaultProxy) -> None:
        content = os.urandom(20 << 20)
        write(behind, "x", content)
        proxy.set(Faults())
        with behind.open("x") as file:
            while file.read(4096):
                pass
        assert proxy.counts()["requests"] < 12

    def test_a_file_that_is_replaced_meanwhile(self, store: ObjectStore) -> None:
        write(store, "x", b"1" * 1_000_000)
        with store.open("x") as file:
            assert file.read(5) == b"11111"
            write(store, "x", b"2" * 1_000_000)
            file.seek(900_000)
            with pytest.raises(ResumableError, match="was replaced while it was read"):
                file.read(5)


class TestList:
    def test_in_the_order_of_a_folder(self, store: ObjectStore) -> None:
        """A bucket and a folder must give the same bytes, unshuffled too."""
        for path in ("b/2", "b/10", "a.txt", "b/.hidden", ".git/x", "B", "a/c/d", "a/b", "ä", "a-b/c", "a0/z"):
            write(store, path)
        paths = [entry.path for entry in store.list()]
        assert paths == [".git/x", "B", "a/b", "a/c/d", "a-b/c", "a.txt", "a0/z", "b/.hidden", "b/10", "b/2", "ä"]
        assert [entry.path for entry in store.list("a/")] == ["a/b", "a/c/d"]
        assert sorted(paths) == sorted(entry.path for entry in ObjectStore(store.root, store.settings).list())

    def test_more_than_a_page(self, store: ObjectStore, store_server: StoreServer) -> None:
        names = [f"root/{number:05d}" for number in range(1_100)]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda name: store_server.put(store.bucket, name, b"x"), names))
        assert [f"root/{entry.path}" for entry in store.list()] == names

    def test_marks_of_empty_folders_are_no_files(self, store: ObjectStore, store_server: StoreServer) -> None:
        for key in ("root/", "root/empty/", "root/full/", "root/full/x", "rootless"):
            store_server.put(store.bucket, key, b"")
        assert [entry.path for entry in store.list()] == ["full/x"]


class TestConditions:
    def test_equal_content_is_success(self, store: ObjectStore) -> None:
        """As when two attempts at one shard are under way."""
        with store.publish("x") as first, store.publish("x") as second:
            first.write(b"same")
            second.write(b"same")
        assert store.read("x") == b"same"

    def test_other_content_is_not(self, store: ObjectStore) -> None:
        with pytest.raises(ResumableError, match="was written by another run meanwhile, with other content"):
            write_while_another_does(store, "x")
        assert store.read("x") == b"theirs"

    def test_replaced_meanwhile(self, store: ObjectStore) -> None:
        write(store, "x", b"old")
        with pytest.raises(ResumableError, match="by another run meanwhile"):
            write_while_another_does(store, "x")
        assert store.read("x") == b"theirs"

    def test_without_conditions_the_last_wins(self, store: ObjectStore) -> None:
        free = ObjectStore(store.root, parse_settings(store.settings.options[""], conditional=False))
        write_while_another_does(free, "x")
        assert store.read("x") == b"mine"
        with free.lock(), free.lock():
            assert free.size("_lock") is None

    def test_a_write_whose_answer_is_lost(self, behind: ObjectStore, proxy: FaultProxy) -> None:
        """It has been done; the attempt that follows meets what it wrote itself."""
        verb = "POST" if behind.scheme == "gs" else "PUT"
        for seed in range(4):
            proxy.set(Faults(errors=0.5, only=f"{verb} ", seed=seed))
            write(behind, f"x{seed}", b"content")
            proxy.set(Faults())
            assert behind.read(f"x{seed}") == b"content"


class TestProcesses:
    def test_pickles_without_what_it_has_open(self, store: ObjectStore) -> None:
        write(store, "x", b"content")
        assert pickle.loads(pickle.dumps(store)).read("x") == b"content"

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
    def test_a_forked_child_connects_anew(self, store: ObjectStore) -> None:
        write(store, "x", b"content")  # the parent's connection and its thread exist now
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.apply_async(read_in_child, (store, "x")).get(60) == b"content"

    def test_many_threads(self, store: ObjectStore) -> None:
        with ThreadPoolExecutor(24) as pool:
            list(pool.map(lambda number: write(store, f"{number}", b"%d" % number), range(100)))
            assert list(pool.map(lambda number: store.read(f"{number}"), range(100))) == [
                b"%d" % number for number in range(100)
            ]

    def test_reached_by_the_environment_alone(
        self, store: ObjectStore, store_server: StoreServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(store, "x", b"content")
        program = f"from shardmill.storage import open_store; print(open_store({store.root!r}).read('x'))"
        environment = {**os.environ, **store_server.environment}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, env=environment
        )
        assert (done.stdout, done.stderr) == ("b'content'\n", "")

    def test_reached_by_the_configuration_of_fsspec(self, store: ObjectStore, store_server: StoreServer) -> None:
        write(store, "x", b"content")
        program = f"from shardmill.storage import open_store; print(open_store({store.root!r}).read('x'))"
        environment = {**os.environ, f"FSSPEC_{store_server.scheme.upper()}": json.dumps(store_server.options)}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, env=environment
        )
        assert (done.stdout, done.stderr) == ("b'content'\n", "")


class TestLock:
    def test_excludes_others_until_it_ends(self, store: ObjectStore) -> None:
        with store.lock():
            assert store.size("_lock")
            with (
                pytest.raises(UsageError, match=r"another run on .* is writing to .*; wait for it to end"),
                store.lock(),
            ):
                pass
        assert store.size("_lock") is None
        with pytest.raises(KeyError), store.lock():
            raise KeyError
        with store.lock():
            pass

    def test_of_a_dead_process_of_this_machine(self, store: ObjectStore) -> None:
        program = (
            f"import os, pickle; store = pickle.loads({pickle.dumps(store)!r})\n"
            "with store.lock(): print('held', flush=True); os._exit(9)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert (done.stdout, done.stderr) == ("held\n", "")
        assert store.size("_lock")
        with store.lock():
            pass

    def test_of_another_machine_by_its_silence(self, store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
        theirs = json.dumps({"nonce": "n", "host": "far", "name": "far", "pid": 1, "since": 0.0}).encode()
        write(store, "_lock", theirs)
        with pytest.raises(UsageError, match=r"another run on far .*If it died, try again in (60|5\d) s"), store.lock():
            pass
        monkeypatch.setattr("shardmill.storage.store_lock.SILENCE_S", 0.0)
        with store.lock():
            assert store.read("_lock") != theirs

    def test_beats_and_is_taken_over(self, store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shardmill.storage.store_lock.BEAT_S", 0.05)
        with pytest.raises(ResumableError, match=r"another run has taken .* over, since this one was silent"):
            hold_until_taken_over(store)
        assert store.read("_lock") == b"theirs", "it removed a lock that was not its own"


def write_over(store: ObjectStore, path: str, content: bytes) -> None:
    """Whatever is there, and whoever writes at the same time."""
    while True:
        found = store.facts(path)
        md5 = hashlib.md5(content).digest()
        try:
            store.put(path, io.BytesIO(content), len(content), md5, ABSENT if found is None else found.version)
            return
        except ConditionError:
            continue


class TestFaults:
    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    def test_statuses_are_retried_and_counted(self, status: int, behind: ObjectStore, proxy: FaultProxy) -> None:
        write(behind, "x", b"content")
        proxy.set(Faults(errors=0.4, statuses=(status,), seed=1))
        before = retries_so_far()
        for _ in range(6):
            assert behind.read("x") == b"content"
        assert retries_so_far() - before == {str(status): proxy.counts()["error"]}
        assert proxy.counts()["error"] > 0

    def test_truncated_bodies_are_never_content(self, behind: ObjectStore, proxy: FaultProxy) -> None:
        content = os.urandom(100_000)
        write(behind, "x", content)
        proxy.set(Faults(truncated=0.4, seed=5))
        for _ in range(6):
            assert behind.read("x") == content
            assert behind.read("x", 1000, 50_000) == content[1000:51_000]
        assert proxy.counts()["truncated"] > 0

    def test_bodies_that_are_short_and_say_so_are_told_by_their_checksum(
        self, behind: ObjectStore, store_server: StoreServer, proxy: FaultProxy
    ) -> None:
        write(behind, "x", b"the whole content")
        headers = (
            {"X-Goog-Hash": "crc32c=mnG7TA==", "X-Goog-Generation": "1"}
            if store_server.scheme == "gs"
            else {"ETag": f'"{hashlib.md5(b"the whole content").hexdigest()}"'}
        )
        proxy.set(Faults(answer={"status": 200, "headers": headers, "body": "the whole"}))
        with pytest.raises(ResumableError, match=r"cannot read .*bytes that are not those of the store's checksum"):
            behind.read("x")

    def test_nobody_there(self, store: ObjectStore, store_server: StoreServer) -> None:
        options: dict[str, Any] = store_server.at("http://127.0.0.1:1").options
        with pytest.raises(
            ResumableError, match=r"cannot read .*/x: \d+ attempts failed within 1 s, the last with no conn"
        ):
            ObjectStore(store.root, parse_settings(options, 1.0)).read("x")


class TestErrors:
    """One sentence with the remedy each; the answers are those that the services document."""

    def test_missing_bucket(self, store_server: StoreServer) -> None:
        root = f"{store_server.scheme}://no-such-{uuid.uuid4().hex[:8]}/x"
        nowhere = ObjectStore(root, parse_settings(store_server.options, 2.0))
        told = rf"^there is no bucket {store_server.scheme}://no-such-\w+, or these credentials may not see it; check its name"
        for ask in (lambda: list(nowhere.list()), lambda: write(nowhere, "x"), lambda: nowhere.size("")):
            with pytest.raises(UsageError, match=told):
                ask()

    def test_denied(self, behind: ObjectStore, proxy: FaultProxy) -> None:
        proxy.set(Faults(answer=denied(behind.scheme)))
        with pytest.raises(UsageError, match=r"^these credentials may not list .*\. Have .* granted on the bucket"):
            list(behind.list())
        with pytest.raises(UnreadableError) as caught:
            behind.read("x")
        assert caught.value.reason == "permission_denied"
        proxy.set(Faults(answer=denied(behind.scheme), only="POST" if behind.scheme == "gs" else "PUT"))
        with pytest.raises(UsageError, match=r"^these credentials may not write .*/x \(.*\. Have .* granted"):
            write(behind, "x")

    def test_expired_credentials(self, behind: ObjectStore, proxy: FaultProxy) -> None:
        proxy.set(Faults(answer=expired(behind.scheme)))
        told = "no Google credentials were found" if behind.scheme == "gs" else "have expired; sign in again"
        for ask in (lambda: list(behind.list()), lambda: behind.read("x"), lambda: write(behind, "x")):
            with pytest.raises(UsageError, match=told):
                ask()

    @pytest.mark.parametrize("code", ["PermanentRedirect", "AuthorizationHeaderMalformed"])
    def test_wrong_region(self, code: str, s3: StoreServer) -> None:
        headers = {"Content-Type": "application/xml", "x-amz-bucket-region": "eu-west-1"}
        status = 301 if code == "PermanentRedirect" else 400
        with fault_proxy(s3.endpoint) as proxy:
            proxy.set(Faults(answer={"status": status, "headers": headers, "body": xml(code, "elsewhere")}))
            elsewhere = ObjectStore("s3://bucket/x", parse_settings(s3.at(proxy.endpoint).options, 2.0))
            for ask in (lambda: list(elsewhere.list()), lambda: write(elsewhere, "x")):
                with pytest.raises(
                    UsageError, match=r"s3://bucket lies in region eu-west-1; set AWS_DEFAULT_REGION=eu-w"
                ):
                    ask()

    def test_no_credentials(self, s3: StoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        store = ObjectStore("s3://bucket/x", parse_settings({"endpoint_url": s3.endpoint}, 2.0))
        with pytest.raises(UsageError, match=r"no AWS credentials were found .*set AWS_ACCESS_KEY_ID"):
            list(store.list())

    def test_key_file_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
        store = ObjectStore("gs://bucket/x", parse_settings({"requester_pays": False}, 2.0))
        with pytest.raises(UsageError, match=r"GOOGLE_APPLICATION_CREDENTIALS names no file: /nowhere/key.json"):
            list(store.list())

    @pytest.mark.parametrize("options", ["nonsense=1", "client_kwargs.nonsense=1"])
    def test_options_that_nothing_takes(self, options: str) -> None:
        store = ObjectStore("s3://bucket/x", parse_settings(options, 2.0))
        with pytest.raises(UsageError, match=r"cannot be opened with these --storage-options; give what s3fs"):
            list(store.list())


def denied(scheme: str) -> dict[str, Any]:
    if scheme == "gs":
        message = "someone@example.org does not have storage.objects.list access to the Google Cloud Storage bucket."
        return {"status": 403, "body": json.dumps({"error": {"code": 403, "message": message}})}
    return {"status": 403, "headers": {"Content-Type": "application/xml"}, "body": xml("AccessDenied", "Access Denied")}


def expired(scheme: str) -> dict[str, Any]:
    if scheme == "gs":
        return {"status": 401, "body": json.dumps({"error": {"code": 401, "message": "Invalid Credentials"}})}
    body = xml("ExpiredToken", "The provided token has expired.")
    return {"status": 400, "headers": {"Content-Type": "application/xml"}, "body": body}


def xml(code: str, message: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
