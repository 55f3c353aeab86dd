"""Keeps the good records of damaged shards."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import pyarrow.parquet as pq
import simplejpeg

from shardmill import isolation
from shardmill.dataset import Dataset, Shard
from shardmill.errors import ResumableError
from shardmill.formats.base import Damage, Format, Placement, Sample
from shardmill.formats.hashing import HashingFile
from shardmill.image.base import PixelSums
from shardmill.image.sums import added, channel_facts, sums_of
from shardmill.layout import LABELS, MANIFEST, SUCCESS
from shardmill.operations.verify.result import Finding, Repair
from shardmill.operations.verify.samples import rewrite_samples, summed_pixels
from shardmill.operations.verify.table import SamplesTable, read_table
from shardmill.storage import Store

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
                entry |= _publish_index(dataset, shard)
                repairs.append(Repair(shard.index_name, "index", len(table.written), 0, shard.index_name))
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
            repairs.append(_copy_good(dataset, shard, {f.offset for f in own if f.offset is not None}))
        elif any(finding.file == shard.index_name for finding in findings):
            _publish_index(dataset, shard)
            records = dataset.shard_format.parse_index(dataset.store.read(shard.index_name))
            assert not isinstance(records, int), "an index that was just written"
            repairs.append(Repair(shard.index_name, "index", len(records), 0, shard.index_name))
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
    rows = [(row, where[row.key, row.label].popleft()) for row in table.written if where[row.key, row.label]]
    with dataset.store.publish(shard.name) as file:
        hashing = HashingFile(file)
        writer = dataset.shard_format.writer(hashing)  # type: ignore[arg-type]  # writes and nothing else
        for sample in _samples_at(dataset, shard, [place for _, place in rows]):
            writer.add(sample)
        index = writer.finish()
    kept = {row.index: place for (row, _), place in zip(rows, writer.placements, strict=True)}
    reasons = {f.record: f.kind for f in findings if f.record is not None and f.kind not in _MISPLACED}
    behind = findings[-1].kind if findings else "lost"
    entry |= {"count": len(kept), "bytes": hashing.bytes, "sha256": hashing.digest.hexdigest()}
    entry |= _publish_content(dataset, shard, index)
    sums = _sums(dataset, shard) if len(kept) < len(table.written) else None
    entry["samples_sha256"] = rewrite_samples(dataset.store, shard, kept, reasons, behind, entry, sums)
    entry["repaired"] = True
    return Repair(shard.name, "salvaged", len(kept), len(table.written) - len(kept), shard.name)


def _sums(dataset: Dataset, shard: Shard) -> PixelSums:
    """Of the pixels that the shard's images decode to, as those before encoding are gone; in a child, as for any decoding."""
    child = isolation.Child()
    try:
        return child.call(shard_sums, (dataset.store, shard, dataset.shard_format))
    except isolation.ChildDiedError as death:
        message = f"the process that decoded {shard.name} died ({death}); look at memory and disk, then run the same command again"
        raise ResumableError(message) from death
    finally:
        child.close()


def shard_sums(where: tuple[Store, Shard, Format]) -> PixelSums:
    """Sums over the images of a shard; those that do not decode count nothing. Runs in a child."""
    store, shard, shard_format = where
    with store.open(shard.name) as file:
        return added(_image_sums(record[1].image) for record in shard_format.read(file) if isinstance(record, tuple))


def _image_sums(image: bytes) -> PixelSums:
    try:
        return sums_of(simplejpeg.decode_jpeg(image)[::4, ::4])
    except ValueError:  # kept by a check that decoded nothing
        return added(())


def _samples_at(dataset: Dataset, shard: Shard, places: Sequence[Placement]) -> Iterator[Sample]:
    """The records at `places`, in that order; in one pass where the file has them in that order too."""
    if not places:
        return
    offsets = [place.offset for place in places]
    with dataset.store.open(shard.name) as file:
        if offsets == sorted(offsets):
            wanted = set(offsets)
            for record in dataset.shard_format.read(file):
                if isinstance(record, tuple) and record[0].offset in wanted:
                    yield record[1]
            return
        for place in places:
            sample = dataset.shard_format.read_at(file, place)
            assert isinstance(sample, Sample), "it was read a moment ago"
            yield sample


def _publish_index(dataset: Dataset, shard: Shard) -> dict[str, Any]:
    """Write the index of a shard that is whole; returns what the manifest says of it."""
    with dataset.store.open(shard.name) as file:
        content = dataset.shard_format.index(file)
    return _publish_content(dataset, shard, content)


def _publish_content(dataset: Dataset, shard: Shard, content: bytes) -> dict[str, Any]:
    if dataset.shard_format.index_suffix:
        with dataset.store.publish(shard.index_name) as file:
            file.write(content)
    return {"index_bytes": len(content), "index_sha256": hashlib.sha256(content).hexdigest()}


def _recount(dataset: Dataset, data: dict[str, Any]) -> None:
    """Make the manifest's counts those of the samples tables."""
    statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
    labels: Counter[int] = Counter()
    summaries = []
    for shard, entry in zip(dataset.shards, data["shards"], strict=True):
        table = read_table(dataset.store, shard)
        if not isinstance(table, SamplesTable):
            return
        entry |= {"listed": table.listed, "count": len(table.written)}
        statuses[shard.split] += Counter({"shards": 1, "listed": table.listed, **table.statuses})
        labels.update(row.label for row in table.written)
        with dataset.store.open(shard.samples_name) as file:
            summaries.append(pq.read_metadata(file).metadata or {})
    lost = {"lost"} if any(counts["lost"] for counts in statuses.values()) else set()
    fixed = ["shards", "listed", "written", "skipped", "failed", *lost]
    data["splits"] = {split: {name: counts[name] for name in fixed} for split, counts in sorted(statuses.items())}
    data["totals"] = {name: sum(counts[name] for counts in statuses.values()) for name in fixed[1:]}
    data["unlabelled"] = labels[-1]
    with suppress(KeyError, TypeError, ValueError):  # a table without a sensible summary: what was known stays
        data["channels"] = channel_facts(added(summed_pixels(metadata) for metadata in summaries))
    for entry in data["classes"]:
        entry["count"] = labels[entry["label"]]
    if any(entry.get("repaired") for entry in data["shards"]):
        data["repaired"] = True


def _copy_good(dataset: Dataset, shard: Shard, bad: set[int]) -> Repair:
    target = f"{shard.name}.repaired"
    with dataset.store.open(shard.name) as source, dataset.store.publish(target) as file:
        kept, lost = dataset.shard_format.salvage(source, file, bad)
    return Repair(shard.name, "copied", kept, lost, target)
