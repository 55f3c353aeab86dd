from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shardmill.errors import DamageError, ResumableError, UsageError
from shardmill.operations import fetch as module
from shardmill.operations.fetch import PublicSet, fetch
from tests.pictures import jpeg


def archive(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


@dataclass
class Served:
    """A server on loopback that sends `content`, and hangs up after `cut` bytes as often as `cuts` says."""

    content: bytes
    cut: int = 0
    cuts: int = 0
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers["Range"]
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        body = self.content[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if self.cuts > 0:
            self.cuts -= 1
            body = body[: self.cut]
        handler.wfile.write(body)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    members = {f"flower_photos/{kind}/{number}.jpg": jpeg(number) for kind in ("ash", "yew") for number in range(3)}
    state = Served(archive({"flower_photos/LICENSE.txt": b"CC-BY", **members}))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/flowers.tgz"
    digest = hashlib.sha256(state.content).hexdigest()
    published = PublicSet(state.url, len(state.content), digest, "flower_photos", "CC-BY 2.0")
    monkeypatch.setattr(module, "SETS", {"flowers": published})
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_set_is_fetched_once(served: Served, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    result = fetch("flowers", str(tmp_path / "f"), on_progress=lambda done, of: seen.append((done, of)))
    assert (result.images, result.licence, result.already_there) == (6, "CC-BY 2.0", False)
    assert (tmp_path / "f/ash/0.jpg").read_bytes() == jpeg(0)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert seen[-1] == (len(served.content), len(served.content))
    assert fetch("flowers", str(tmp_path / "f")).already_there
    assert served.asked == [None]


def test_a_cut_connection_goes_on_where_it_stopped(served: Served, tmp_path: Path) -> None:
    served.cut, served.cuts = 1000, 2
    assert fetch("flowers", str(tmp_path / "f")).images == 6
    assert served.asked == [None, "bytes=1000-", "bytes=2000-"]


def test_a_server_without_ranges_starts_anew(served: Served, tmp_path: Path) -> None:
    served.cut, served.cuts, served.ranges = 1000, 1, False
    assert fetch("flowers", str(tmp_path / "f")).images == 6
    assert served.asked == [None, "bytes=1000-"]


def test_a_dead_network_keeps_what_came_for_the_next_call(served: Served, tmp_path: Path) -> None:
    served.cut, served.cuts = 700, 1
    alive = module.SETS["flowers"]
    (tmp_path / "f.download").write_bytes(served.content[:300])
    module.SETS["flowers"] = replace(alive, url="http://127.0.0.1:1/flowers.tgz")  # type: ignore[index]  # a plain dictionary here
    with pytest.raises(ResumableError, match=r"300 B of .* are kept\. Check the network"):
        fetch("flowers", str(tmp_path / "f"))
    module.SETS["flowers"] = alive  # type: ignore[index]  # as above
    assert fetch("flowers", str(tmp_path / "f")).images == 6
    assert served.asked[0] == "bytes=300-"


def test_other_bytes_than_published_are_refused_and_deleted(served: Served, tmp_path: Path) -> None:
    served.content = served.content[:-1] + bytes([served.content[-1] ^ 1])
    with pytest.raises(DamageError, match="is not what was published"):
        fetch("flowers", str(tmp_path / "f"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_left_alone(served: Served, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not the set flowers"):
        fetch("flowers", str(tmp_path))
    assert served.asked == []
