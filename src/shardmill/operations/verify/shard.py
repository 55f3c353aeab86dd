"""Checks one shard, start to end, in the process that may die."""

from __future__ import annotations

import builtins
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shardmill import isolation
from shardmill.dataset import Shard
from shardmill.formats.base import Damage, Format, Placement, Sample
from shardmill.operations.verify.collect import Collector
from shardmill.operations.verify.decode import decoded_size
from shardmill.operations.verify.index import compare_index
from shardmill.operations.verify.result import Finding
from shardmill.operations.verify.table import Row, SamplesTable, read_table
from shardmill.operations.verify.unique import key_digest
from shardmill.storage import Store, UnreadableError


@dataclass(frozen=True, slots=True)
class ShardCheck:
    """A shard to check, and what earlier attempts have learnt."""

    store: Store
    shard: Shard
    shard_format: Format
    prepared: bool
    """There is a manifest, hence a samples table and an index."""
    num_classes: int
    deep: bool
    decode: bool = True
    blamed: Mapping[int, str] = field(default_factory=dict)
    """Records whose image must not be decoded, with what happened when it was."""
    keep_all: bool = False
    """Keep every finding, for a repair, and not only the first hundred."""


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What was found in one shard."""

    number: int
    findings: tuple[Finding, ...]
    findings_total: int
    present: bool
    bytes: int = 0
    good: int = 0
    """Records whose framing and features are right."""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """Rows of the samples table by status."""
    labels: Mapping[int, int] = field(default_factory=dict)
    key_digests: builtins.bytes = b""
    key_records: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))


@dataclass(slots=True)
class _Reading:
    """What a pass over the records saw, in order."""

    good: list[tuple[int, Placement]] = field(default_factory=list)
    """Record number and place."""
    damaged: list[Damage] = field(default_factory=list)
    labels: Counter[int] = field(default_factory=Counter)
    digests: list[bytes] = field(default_factory=list)


def check_shard(check: ShardCheck) -> ShardReport:
    """Everything that can be told from one shard, its index and its samples table."""
    shard = check.shard
    found = Collector(shard.name, keep_all=check.keep_all)
    size = check.store.size(shard.name)
    if size is None:
        found("missing_shard", "the manifest names this file and it is not there")
        return ShardReport(shard.number, tuple(found.findings), found.total, present=False)
    table = _check_table(check, found) if check.prepared else None
    try:
        reading = _check_records(check, found, table) if check.deep else _Reading()
        _check_index(check, found, table, reading, size)
    except UnreadableError as error:
        found("unreadable", str(error))
        reading = _Reading()
    if check.prepared and not any(finding.file == shard.name for finding in found.findings):
        _check_file(check, found, size)
    return ShardReport(
        number=shard.number,
        findings=tuple(found.findings),
        findings_total=found.total,
        present=True,
        bytes=size,
        good=len(reading.good) if check.deep else shard.count or 0,
        statuses=table.statuses if table else {},
        labels=dict(reading.labels),
        key_digests=b"".join(reading.digests),
        key_records=np.array([number for number, _ in reading.good] if reading.digests else [], np.uint32),
    )


def _check_file(check: ShardCheck, found: Collector, size: int) -> None:
    """Size and digest: what is left to be wrong once every record is right."""
    shard = check.shard
    if size != shard.bytes:
        found("size", f"the file has {size} bytes, the manifest says {shard.bytes}")
    elif check.deep:
        with check.store.open(shard.name) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any binary file will do
        if sha256 != shard.sha256:
            found("sha256", "the file's SHA-256 is not the one in the manifest, and every record reads well")


def _check_table(check: ShardCheck, found: Collector) -> SamplesTable | None:
    shard, name = check.shard, check.shard.samples_name
    table = read_table(check.store, shard)
    if table is None:
        found("missing_samples", "the samples table of this shard is not there", file=name)
        return None
    if isinstance(table, str):
        found("samples", table, file=name)
        return None
    written = len(table.written)
    known = sum(table.statuses.get(status, 0) for status in ("written", "skipped", "failed", "lost"))
    if known != table.listed:
        found("samples", f"{table.listed - known} of {table.listed} rows have an unknown status", file=name)
    elif shard.listed != table.listed or shard.count != written:
        detail = f"it has {table.listed} rows, {written} written; the manifest says {shard.listed} and {shard.count}"
        found("samples", detail, file=name)
    elif [row.index for row in table.written] != list(range(written)):
        found("samples", "the records it names are not numbered 0, 1, 2 ...", file=name)
    elif shard.samples_sha256 is not None and table.sha256 != shard.samples_sha256:
        found("samples", "its SHA-256 is not the one in the manifest", file=name)
    return table


def _check_records(check: ShardCheck, found: Collector, table: SamplesTable | None) -> _Reading:
    reading = _Reading()
    rows = {row.placement.offset: row for row in table.written} if table else {}
    with check.store.open(check.shard.name) as file:
        for number, record in enumerate(check.shard_format.read(file)):
            if isinstance(record, Damage):
                reading.damaged.append(record)
                row = rows.get(record.offset)
                number = row.index if row else record.record  # exact, also behind a gap
                found(record.kind, record.detail, number, record.offset, row.key if row else None)
            else:
                _check_record(check, found, reading, number, record, rows.get(record[0].offset), table)
    _check_count(check, found, reading, table)
    return reading


def _check_record(
    check: ShardCheck,
    found: Collector,
    reading: _Reading,
    number: int,
    record: tuple[Placement, Sample],
    row: Row | None,
    table: SamplesTable | None,
) -> None:
    placement, sample = record
    number = row.index if row else number
    reading.good.append((number, placement))
    reading.labels[sample.label] += 1
    place = (number, placement.offset, sample.key)
    if check.prepared:
        reading.digests.append(key_digest(sample.key))
        if not -1 <= sample.label < check.num_classes:
            found("label_out_of_range", f"its label is {sample.label}, there are {check.num_classes} classes", *place)
    if table is not None:
        difference = _difference(sample, placement, row)
        if difference:
            found("wrong_record", difference, *place)
    problem = _image_problem(check, number, sample)
    if problem is not None:
        found(problem[0], problem[1], *place)


def _difference(sample: Sample, placement: Placement, row: Row | None) -> str | None:
    """How a record differs from what the samples table puts at its place."""
    if row is None:
        return "the samples table knows no record at this place"
    if row.key and sample.key and row.key != sample.key:
        return f"the samples table puts {row.key} here"
    if row.label != sample.label:
        return f"its label is {sample.label}, the samples table says {row.label}"
    if row.placement.length != placement.length:
        return f"it is {placement.length} bytes long, the samples table says {row.placement.length}"
    return None


def _image_problem(check: ShardCheck, number: int, sample: Sample) -> tuple[str, str] | None:
    if number in check.blamed:
        return "undecodable", f"decoding it {check.blamed[number]}"
    if not check.decode:
        return None
    journal = isolation.journal()
    journal.take(number)
    size = decoded_size(sample.image)
    journal.finish(number)
    if isinstance(size, str):
        return "undecodable", size
    if check.prepared and sample.width and sample.height and size != (sample.width, sample.height):
        return "wrong_size", f"the image is {size[0]}x{size[1]}, its record says {sample.width}x{sample.height}"
    return None


def _check_count(check: ShardCheck, found: Collector, reading: _Reading, table: SamplesTable | None) -> None:
    """Accounts for records that the manifest or the table promises and that were neither read nor named as damaged."""
    if table is None:
        count, expected = len(reading.good) + len(reading.damaged), check.shard.count
        if expected is not None and count != expected:
            kind = "missing_records" if count < expected else "extra_records"
            found(kind, f"{count} records are here, the manifest says {expected}")
        return
    seen = {placement.offset for _, placement in reading.good} | {damage.offset for damage in reading.damaged}
    last = max([*seen, *(damage.offset + damage.length for damage in reading.damaged)], default=-1)
    unseen = [row for row in table.written if row.placement.offset not in seen]
    for row in unseen:
        before = [damage for damage in reading.damaged if damage.offset < row.placement.offset <= last]
        if before:
            detail = f"it lies in the stretch that is damaged from byte {before[-1].offset} on"
            found(before[-1].kind, detail, row.index, row.placement.offset, row.key)
    behind = [row for row in unseen if row.placement.offset > last]
    if behind and len(seen) < len(table.written):
        detail = f"the file ends before this record; missing: {len(behind)}"
        found("missing_records", detail, behind[0].index, behind[0].placement.offset, behind[0].key)


def _check_index(check: ShardCheck, found: Collector, table: SamplesTable | None, reading: _Reading, size: int) -> None:
    name = check.shard.index_name
    if not check.shard_format.index_suffix:
        return
    if check.store.size(name) is None:
        if check.prepared:
            found("missing_index", "the index of this shard is not there", file=name)
        return
    content = check.store.read(name)
    parsed = check.shard_format.parse_index(content)
    if table is not None:
        right = compare_index(found, name, parsed, [row.placement for row in table.written])
    elif check.deep and not reading.damaged:
        right = compare_index(found, name, parsed, [placement for _, placement in reading.good])
    else:
        right = _plausible(found, name, parsed, check, size)
    if (
        right
        and check.shard.index_sha256 is not None
        and hashlib.sha256(content).hexdigest() != check.shard.index_sha256
    ):
        found("index", "its SHA-256 is not the one in the manifest", file=name)


def _plausible(found: Collector, name: str, parsed: list[Placement] | int, check: ShardCheck, size: int) -> bool:
    """Whether an index can be right, where nothing says what is."""
    if isinstance(parsed, int):
        found("index", f"line {parsed + 1} is none of an index", record=parsed, file=name)
        return False
    ends = [0, *(placement.offset + placement.length for placement in parsed)]
    for number, (placement, end) in enumerate(zip(parsed, ends, strict=False)):
        if placement.offset != end:
            found("index", f"line {number + 1} does not begin where the record before it ends", number, end, file=name)
            return False
    if check.shard.count is not None and len(parsed) != check.shard.count:
        found("index", f"it has {len(parsed)} lines for {check.shard.count} records", file=name)
        return False
    return ends[-1] <= size or check.shard.bytes is None
