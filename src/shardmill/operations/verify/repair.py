"""Keeps the good records of damaged shards."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

from shardmill.dataset import Dataset, Shard
from shardmill.formats.base import Damage, Placement
from shardmill.formats.frames import frames
from shardmill.formats.framing import HEADER, frame_footer, frame_header
from shardmill.formats.inflate import is_compressed
from shardmill.layout import LABELS, MANIFEST, SUCCESS
from shardmill.operations.verify.result import Finding, Repair
from shardmill.operations.verify.samples import rewrite_samples
from shardmill.operations.verify.table import SamplesTable, read_table

_MISPLACED: Final = frozenset({"wrong_record"})
"""Findings that leave a record good in itself: it is put where the samples table wants it, if it does."""


def repair_prepared(dataset: Dataset, findings: Sequence[Finding]) -> tuple[Repair, ...]:
    """Make `dataset` agree with itself again: shards, indexes, samples tables, labels, manifest, in this order.

    A damaged shard is replaced by one with its good records in the order of the samples table; the rows of the others get
    the status `lost`. A shard without a readable samples table is left alone: `prepare` makes it again.
    """
    assert dataset.manifest is not None
    by_file: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_file[finding.file].append(finding)
    manifest = json.loads(json.dumps(dataset.manifest))
    repairs = []
    with dataset.store.lock():
        for shard in dataset.shards:
            entry = manifest["data"]["shards"][shard.number]
            table = read_table(dataset.store, shard)
            if not isinstance(table, SamplesTable):
                continue
            if by_file[shard.name] or by_file[shard.samples_name]:
                repairs.append(_salvage(dataset, shard, by_file[shard.name], table, entry))
            elif by_file[shard.index_name]:
                placements = [row.placement for row in table.written]
                entry |= _publish_index(dataset, shard, placements)
                repairs.append(Repair(shard.index_name, "index", len(placements), 0, shard.index_name))
        _recount(dataset, manifest["data"])
        with dataset.store.publish(LABELS) as file:
            file.write("".join(f"{name}\n" for name in dataset.labels).encode())
        content = json.dumps(manifest, indent=1).encode()
        with dataset.store.publish(MANIFEST) as file:
            file.write(content)
        if dataset.complete and dataset.store.size(SUCCESS):
            with dataset.store.publish(SUCCESS) as file:
                file.write(hashlib.sha256(content).hexdigest().encode() + b"\n")
    return tuple(repairs)


def repair_foreign(dataset: Dataset, findings: Sequence[Finding]) -> tuple[Repair, ...]:
    """Put the good records of each damaged file into `<file>.repaired` beside it, compressed as it is; write wrong indexes
    anew. The damaged files stay."""
    repairs = []
    for shard in dataset.shards:
        own = [finding for finding in findings if finding.file == shard.name]
        if any(finding.record is not None for finding in own):
            repairs.append(_copy_good(dataset, shard, {finding.offset for finding in own}))
        elif any(finding.file == shard.index_name for finding in findings):
            with dataset.store.open(shard.name) as file:
                placements = [frame[0] for frame in frames(file) if not isinstance(frame, Damage)]
            _publish_index(dataset, shard, placements)
            repairs.append(Repair(shard.index_name, "index", len(placements), 0, shard.index_name))
    return tuple(repairs)


def _salvage(
    dataset: Dataset, shard: Shard, findings: Sequence[Finding], table: SamplesTable, entry: dict[str, Any]
) -> Repair:
    bad = {finding.offset for finding in findings if finding.kind not in _MISPLACED}
    where: defaultdict[tuple[str, int], deque[Placement]] = defaultdict(deque)
    if dataset.store.size(shard.name) is not None:
        for record in dataset.records(shard):
            if not isinstance(record, Damage) and record[0].offset not in bad:
                where[record[1].key, record[1].label].append(record[0])
    kept: dict[int, Placement] = {}
    digest = hashlib.sha256()
    end = 0
    with dataset.store.publish(shard.name) as file:
        for row in table.written:
            if where[row.key, row.label]:
                old = where[row.key, row.label].popleft()
                frame = dataset.store.read(shard.name, old.offset, old.length)
                file.write(frame)
                digest.update(frame)
                kept[row.index] = Placement(end, old.length)
                end += old.length
    reasons = {f.record: f.kind for f in findings if f.record is not None and f.kind not in _MISPLACED}
    behind = findings[-1].kind if findings else "lost"
    entry |= {"count": len(kept), "bytes": end, "sha256": digest.hexdigest()}
    entry |= _publish_index(dataset, shard, list(kept.values()))
    entry["samples_sha256"] = rewrite_samples(dataset.store, shard, kept, reasons, behind, entry)
    entry["repaired"] = True
    return Repair(shard.name, "salvaged", len(kept), len(table.written) - len(kept), shard.name)


def _publish_index(dataset: Dataset, shard: Shard, placements: list[Placement]) -> dict[str, Any]:
    """Write the index; returns what the manifest says of it."""
    content = dataset.shard_format.index(placements)
    with dataset.store.publish(shard.index_name) as file:
        file.write(content)
    return {"index_bytes": len(content), "index_sha256": hashlib.sha256(content).hexdigest()}


def _recount(dataset: Dataset, data: dict[str, Any]) -> None:
    """Make the manifest's counts those of the samples tables."""
    statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
    labels: Counter[int] = Counter()
    for shard, entry in zip(dataset.shards, data["shards"], strict=True):
        table = read_table(dataset.store, shard)
        if not isinstance(table, SamplesTable):
            return
        entry |= {"listed": table.listed, "count": len(table.written)}
        statuses[shard.split] += Counter({"shards": 1, "listed": table.listed, **table.statuses})
        labels.update(row.label for row in table.written)
    lost = {"lost"} if any(counts["lost"] for counts in statuses.values()) else set()
    fixed = ["shards", "listed", "written", "skipped", "failed", *lost]
    data["splits"] = {split: {name: counts[name] for name in fixed} for split, counts in sorted(statuses.items())}
    data["totals"] = {name: sum(counts[name] for counts in statuses.values()) for name in fixed[1:]}
    data["unlabelled"] = labels[-1]
    for entry in data["classes"]:
        entry["count"] = labels[entry["label"]]
    if any(entry.get("repaired") for entry in data["shards"]):
        data["repaired"] = True


def _copy_good(dataset: Dataset, shard: Shard, bad: set[int | None]) -> Repair:
    target = f"{shard.name}.repaired"
    kept = lost = 0
    with dataset.store.open(shard.name) as file:
        head = file.read(HEADER.size)
    with dataset.store.open(shard.name) as source, dataset.store.publish(target) as plain:
        out = _compressor(head, plain)
        for frame in frames(source):
            if isinstance(frame, Damage) or frame[0].offset in bad:
                lost += 1
                continue
            kept += 1
            for part in (frame_header(len(frame[1])), frame[1], frame_footer(frame[1])):
                out.write(part)
        if out is not plain:
            out.close()
    return Repair(shard.name, "copied", kept, lost, target)


class _ZlibWriter:
    def __init__(self, file: BinaryIO) -> None:
        self._file, self._deflate = file, zlib.compressobj()

    def write(self, part: bytes) -> int:
        return self._file.write(self._deflate.compress(part))

    def close(self) -> None:
        self._file.write(self._deflate.flush())


def _compressor(head: bytes, file: BinaryIO) -> BinaryIO | gzip.GzipFile | _ZlibWriter:
    """What writes to `file` with the compression that a file of this `head` has."""
    if not is_compressed(head):
        return file
    return gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) if head[:1] == b"\x1f" else _ZlibWriter(file)
