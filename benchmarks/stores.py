"""Many small objects read through the window of `prepare`, against one after the other, with latency on every request.

A fake-gcs-server runs here on loopback, and a proxy in front of it holds every request up for 25 ms. Both ways read the
same objects by the same client, in the same order, interleaved; what is told is their ratio. Memory is the growth of this
process's peak over what it was before, which the window bounds.

    python -m benchmarks.stores [--objects 2000] [--bytes 30000] [--passes 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import psutil
from tests.faults.fault_proxy import Faults, fault_proxy
from tests.stores import gcs_server

from shardmill.storage import Store, open_store, parse_settings
from shardmill.storage.settings import REQUESTS_AT_ONCE
from shardmill.storage.window import WINDOW_BYTES, in_order

_LATENCY_S = 0.025


class Peak:
    """The most memory that this process held while the block ran, in bytes, looked at every 5 ms."""

    def __enter__(self) -> Self:
        self._process, self._over = psutil.Process(), threading.Event()
        self.before = self.most = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            self.most = max(self.most, self._process.memory_info().rss)

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()


def read_all(store: Store, names: list[str], at_once: int, size: int) -> float:
    """Seconds for reading every object, in order."""
    began = time.perf_counter()
    total = 0
    for _, content in in_order(store.read, names, at_once, lambda name: size):
        total += len(content())
    assert total == len(names) * size
    return time.perf_counter() - began


def fill(put: Callable[[str], None], names: list[str]) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, names))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--bytes", type=int, default=30_000)
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    names = [f"{number:05d}.jpg" for number in range(arguments.objects)]
    content = os.urandom(arguments.bytes)
    with gcs_server() as server, fault_proxy(server.endpoint) as proxy:
        server.make_bucket("bench")
        fill(lambda name: server.put("bench", name, content), names)
        store = open_store("gs://bench", parse_settings(server.at(proxy.endpoint).options))
        read_all(store, names[:100], 8, arguments.bytes)  # connections, and the ramp of the request rate
        proxy.set(Faults(latency_s=_LATENCY_S))
        single, window, growth = [], [], 0
        for _ in range(arguments.passes):
            single.append(read_all(store, names, 1, arguments.bytes))
            with Peak() as peak:
                window.append(read_all(store, names, REQUESTS_AT_ONCE, arguments.bytes))
            growth = max(growth, peak.most - peak.before)
    ratio = statistics.median(window) / statistics.median(single)
    print(f"{arguments.objects} objects of {arguments.bytes} bytes, {_LATENCY_S * 1000:.0f} ms on each request")
    print(f"one at a time        {statistics.median(single):7.2f} s   1")
    print(f"window of {REQUESTS_AT_ONCE:<10d} {statistics.median(window):7.2f} s   {ratio:.4f} (1/{1 / ratio:.1f})")
    print(f"memory grew by at most {growth / 1e6:.1f} MB; the window allows {WINDOW_BYTES / 1e6:.0f} MB of results")
    if arguments.json is not None:
        told = {"single_s": single, "window_s": window, "ratio": ratio, "growth_bytes": growth, **vars(arguments)}
        arguments.json.write_text(json.dumps(told, default=str, indent=1))


if __name__ == "__main__":
    main()
