"""An HTTP proxy in front of a store's server that does what networks and busy stores do, by a seeded draw.

It runs as a process of its own. What it does can be changed while it runs, and it counts what it has done.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from yarl import URL

from tests.stores import free_port

_CONTROL: Final = "/fault-proxy"
_READY_TIMEOUT_S: Final = 30.0
_NOT_PASSED_ON: Final = frozenset(
    ("connection", "content-length", "date", "expect", "host", "keep-alive", "server", "transfer-encoding")
)


@dataclass(frozen=True)
class Faults:
    """What happens to requests. Shares are in [0, 1] and exclude each other: at most one fault hits a request."""

    errors: float = 0.0
    """Answered with a status of `statuses`; half of them after the server has done what was asked."""
    resets: float = 0.0
    """The connection is reset; half of them after the server has done what was asked."""
    truncated: float = 0.0
    """The answer ends half-way, and so does the connection."""
    stalls: float = 0.0
    """The answer pauses for `stall_s` half-way."""
    statuses: tuple[int, ...] = (503, 500, 429, 502)
    stall_s: float = 2.0
    latency_s: float = 0.0
    """Added to every request."""
    bytes_per_s: float = 0.0
    """Cap of each answer; 0: none."""
    total_bytes_per_s: float = 0.0
    """Cap of all answers together, as of one link; 0: none."""
    down: bool = False
    """Every request is answered with 503."""
    answer: Mapping[str, Any] | None = None
    """Every request is answered with this status, these headers and this body."""
    only: str = ""
    """Faults and `answer` hit only requests whose method and path contain this text."""
    seed: int = 0


@dataclass
class _Proxy:
    upstream: str
    own: str
    faults: Faults
    session: aiohttp.ClientSession
    counts: Counter[str] = field(default_factory=Counter)
    draw: random.Random = field(default_factory=random.Random)
    link_free_at: float = 0.0
    """When what has been promised so far will have gone over the link, on the loop's clock."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == _CONTROL:
            if request.method == "POST":
                self.set(await request.json())
            return web.json_response(self.counts)
        body = await request.read()
        self.counts["requests"] += 1
        faults = self.faults
        hit = faults.only in f"{request.method} {request.raw_path}"
        if faults.latency_s:
            await asyncio.sleep(faults.latency_s)
        if hit and faults.answer is not None:
            return web.Response(**{**faults.answer, "body": str(faults.answer.get("body", "")).encode()})
        fault, lost = self.drawn(faults, hit)
        if fault in ("error", "reset") and not lost:
            return self.failure(request, fault, faults)
        status, headers, content = await self.pass_on(request, body)
        if fault in ("error", "reset"):
            return self.failure(request, fault, faults)
        return await self.reply(request, status, headers, content, fault, faults)

    def set(self, values: dict[str, Any]) -> None:
        self.faults = Faults(**{**values, "statuses": tuple(values["statuses"])})
        self.draw = random.Random(self.faults.seed)
        self.counts.clear()

    def drawn(self, faults: Faults, hit: bool) -> tuple[str, bool]:
        """The fault that hits this request, or nothing; and whether the server does its work all the same."""
        number, lost = self.draw.random(), self.draw.random() < 0.5
        if hit and faults.down:
            return "error", False
        shares = {"error": faults.errors, "reset": faults.resets, "truncated": faults.truncated, "stall": faults.stalls}
        for name, share in shares.items():
            if number < share:
                if hit:
                    self.counts[name] += 1
                return name if hit else "", lost
            number -= share
        return "", False

    def failure(self, request: web.Request, fault: str, faults: Faults) -> web.StreamResponse:
        if fault == "reset":
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        status = 503 if faults.down else self.draw.choice(faults.statuses)
        return web.Response(status=status, text="the proxy says so")

    async def pass_on(self, request: web.Request, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON}
        url = URL(self.upstream + request.raw_path, encoded=True)
        async with self.session.request(
            request.method, url, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            content = await answer.read()
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _NOT_PASSED_ON}
            if request.method == "HEAD":
                kept["Content-Length"] = answer.headers.get("Content-Length", "0")
            if "Location" in kept:
                kept["Location"] = kept["Location"].replace(self.upstream, self.own)
            return answer.status, kept, content

    async def reply(
        self, request: web.Request, status: int, headers: dict[str, str], content: bytes, fault: str, faults: Faults
    ) -> web.StreamResponse:
        if request.method != "HEAD":
            headers["Content-Length"] = str(len(content))
        answer = web.StreamResponse(status=status, headers=headers)
        await answer.prepare(request)
        half = len(content) // 2
        if fault in ("truncated", "stall"):
            await answer.write(content[:half])
            if fault == "stall":
                await asyncio.sleep(faults.stall_s)
            elif request.transport is not None:
                await asyncio.sleep(0.01)  # let the half that is promised leave first
                request.transport.abort()
                return answer
            content = content[half:]
        while (faults.bytes_per_s or faults.total_bytes_per_s) and len(content) > 1 << 14:
            await answer.write(content[: 1 << 14])
            content = content[1 << 14 :]
            if faults.bytes_per_s:
                await asyncio.sleep((1 << 14) / faults.bytes_per_s)
            await self.take_turn(1 << 14, faults)
        await answer.write(content)
        await self.take_turn(len(content), faults)
        await answer.write_eof()
        return answer

    async def take_turn(self, size: int, faults: Faults) -> None:
        """Wait until so many bytes have gone over the link that all answers share."""
        if faults.total_bytes_per_s:
            now = asyncio.get_running_loop().time()
            self.link_free_at = max(self.link_free_at, now) + size / faults.total_bytes_per_s
            await asyncio.sleep(self.link_free_at - now)


@dataclass(frozen=True)
class FaultProxy:
    """A running proxy."""

    endpoint: str

    def set(self, faults: Faults) -> None:
        """From now on, and counting anew."""
        self._control(json.dumps(asdict(faults)).encode())

    def counts(self) -> dict[str, int]:
        """Requests, and each fault that hit one."""
        return self._control(None)

    def _control(self, content: bytes | None) -> dict[str, int]:
        with urllib.request.urlopen(self.endpoint + _CONTROL, content, timeout=10) as answer:
            counts: dict[str, int] = json.load(answer)
            return counts


@contextmanager
def fault_proxy(upstream: str, faults: Faults | None = None) -> Iterator[FaultProxy]:
    """A proxy in front of the server at `upstream`, for as long as the block runs."""
    port = free_port()
    command = [sys.executable, "-m", "tests.faults.fault_proxy", upstream, str(port)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL) as process:
        try:
            proxy = FaultProxy(f"http://127.0.0.1:{port}")
            deadline = time.monotonic() + _READY_TIMEOUT_S
            while True:
                try:
                    proxy.set(faults or Faults())
                    break
                except OSError:
                    assert process.poll() is None, "the proxy ended"
                    assert time.monotonic() < deadline, "the proxy did not come up"
                    time.sleep(0.1)
            yield proxy
        finally:
            process.terminate()
            process.wait(10)


async def _serve(upstream: str, port: int) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        proxy = _Proxy(upstream, f"http://127.0.0.1:{port}", Faults(), session)
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/{path:.*}", proxy.handle)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
