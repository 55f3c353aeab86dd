"""What the tasks' own samplers have published, as samples of a cluster's nodes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from shardmill.clusters.base import Role, UsageSample
from shardmill.errors import ClusterError
from shardmill.sampling import HostSample
from shardmill.storage.open import open_store

_NAME: Final = re.compile(r"(?:.*/)?[^/]+/(?P<first>\d+)-(?P<last>\d+)-\d+\.jsonl")
"""See `sampling`."""
_OVERLAP_S: Final = 0.05


def read_samples(url: str, start: float, end: float, nodes: Mapping[str, Role] | None = None) -> list[UsageSample]:
    """Samples of all that has been published anywhere under `url` and lies between two times, wholly or in part.

    A machine for which several jobs have sampled at once has one series even so.

    Args:
        url: A folder, of one job or of several.
        start: Seconds since the epoch.
        end: Seconds since the epoch.
        nodes: The cluster's machines, by the first part of their host names. A machine that is not among them counts
            as a worker under the name that it has itself, for none but workers sample.

    Raises:
        ClusterError: an object holds no samples.
    """
    store = open_store(url)
    if store.size("") is None:
        return []
    listed = [(entry.path, _NAME.fullmatch(entry.path)) for entry in store.list()]
    paths = [
        path
        for path, name in listed
        if name is not None and int(name["last"]) >= start * 1000 and int(name["first"]) <= end * 1000
    ]
    if not paths:
        return []

    def read(path: str) -> list[HostSample]:
        try:
            return [HostSample(**json.loads(line)) for line in store.read(path).splitlines()]
        except (ValueError, TypeError) as error:
            raise ClusterError(f"{url}/{path} holds no samples of a machine ({error}); delete it") from error

    with ThreadPoolExecutor(min(store.reads_at_once, len(paths))) as pool:
        found = [sample for samples in pool.map(read, paths) for sample in samples]
    return list(_series(found, start, end, nodes or {}))


def _series(
    samples: Iterable[HostSample], start: float, end: float, nodes: Mapping[str, Role]
) -> Iterator[UsageSample]:
    until: dict[str, float] = {}
    for sample in sorted(samples, key=lambda sample: sample.start):
        last = sample.start + sample.seconds
        if sample.start > end or last < start or sample.start < until.get(sample.host, 0.0) - _OVERLAP_S:
            continue
        until[sample.host] = last
        node = sample.host.partition(".")[0]
        node = node if node in nodes else sample.host
        yield UsageSample(
            node=node,
            role=nodes.get(node, "worker"),
            start=sample.start,
            seconds=sample.seconds,
            cores=float(sample.cores),
            cpu_s=sample.cpu_s,
            network_in_bytes=sample.network_in_bytes,
            network_out_bytes=sample.network_out_bytes,
            disk_read_bytes=sample.disk_read_bytes,
            disk_write_bytes=sample.disk_write_bytes,
            memory_bytes=sample.memory_bytes,
            source="host",
        )
