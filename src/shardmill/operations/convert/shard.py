"""Converts one shard, in the process that may die: read, write, publish, commit."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shardmill import isolation
from shardmill.dataset import Dataset, Shard
from shardmill.errors import DamageError
from shardmill.formats.base import Damage, Format, Placement, Sample
from shardmill.formats.hashing import HashingFile
from shardmill.image.header import sniff
from shardmill.layout import SUMMARY_KEY, samples_name
from shardmill.operations.prepare.samples import PlacedRows, SamplesWriter, ShardSummary, committed
from shardmill.operations.verify.decode import decoded_size
from shardmill.operations.verify.table import SamplesTable, read_table
from shardmill.storage import Store


@dataclass(frozen=True, slots=True)
class ConvertCall:
    """A shard to convert, and what earlier attempts have learnt."""

    source: Dataset
    shard: Shard
    """Of the source."""
    dest: Store
    name: str
    """Of the new shard."""
    split: str
    shard_format: Format
    """Of the new shard."""
    plan: str
    """Digest of the plan."""
    blamed: Mapping[int, str] = field(default_factory=dict)
    """Records whose image must not be decoded, with what happened when it was."""


def convert_shard(call: ConvertCall) -> ShardSummary:
    """Write, publish and commit the shard, unless an earlier run has; returns its summary.

    Raises:
        DamageError: a record of a set of ours is not as it was written.
        ResumableError: reading or writing failed; nothing of the shard is committed.
    """
    done = committed(call.dest, samples_name(call.shard.number), call.plan)
    if done is not None:
        return done
    return _copy_ours(call) if call.source.manifest is not None else _copy_foreign(call)


class _Output:
    """The new shard while it is written."""

    def __init__(self, call: ConvertCall, file: Any) -> None:  # noqa: ANN401  # a binary file
        self._call = call
        self._hashing = HashingFile(file)
        self.writer = call.shard_format.writer(self._hashing)  # type: ignore[arg-type]  # writes and nothing else
        self.index = b""

    def finish(self) -> None:
        self.index = self.writer.finish()

    def publish_index(self) -> None:
        if self._call.shard_format.index_suffix:
            with self._call.dest.publish(self._call.name + self._call.shard_format.index_suffix) as file:
                file.write(self.index)

    def summary(self, statuses: Mapping[str, int], **sums: Any) -> ShardSummary:  # noqa: ANN401  # of its fields
        nothing = {"pixels": 0, "channel_totals": (0, 0, 0), "channel_squares": (0, 0, 0)}
        return ShardSummary(
            number=self._call.shard.number,
            name=self._call.name,
            split=self._call.split,
            plan=self._call.plan,
            listed=sum(statuses.values()),
            count=statuses.get("written", 0),
            skipped=statuses.get("skipped", 0),
            failed=statuses.get("failed", 0),
            bytes=self._hashing.bytes,
            sha256=self._hashing.digest.hexdigest(),
            index_bytes=len(self.index),
            index_sha256=hashlib.sha256(self.index).hexdigest(),
            **{**nothing, **sums},
        )


def _copy_ours(call: ConvertCall) -> ShardSummary:
    """The records as they are; the table of the source with their new places."""
    source, shard = call.source, call.shard
    table = read_table(source.store, shard)
    if not isinstance(table, SamplesTable):
        raise DamageError(f"{table or f'{shard.samples_name} is not there'}; see `shardmill verify {source.root}`.")
    expected = [(row.key, row.label) for row in table.written]
    with call.dest.publish(call.name) as file:
        output = _Output(call, file)
        for sample in _whole(call, expected):
            output.writer.add(sample)
        output.finish()
        places = list(output.writer.placements)
    output.publish_index()
    with source.store.open(shard.samples_name) as file:
        old = pq.read_table(file)
    with source.store.open(shard.samples_name) as file:
        metadata = pq.read_metadata(file).metadata or {}
    summary = output.summary(table.statuses)
    old = _replaced(old, places)
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, old.schema, compression="zstd") as writer:
        writer.write_table(old, row_group_size=1 << 13)
        writer.add_key_value_metadata({SUMMARY_KEY: _summary_text(metadata.get(SUMMARY_KEY), summary)})
    with call.dest.publish(samples_name(shard.number)) as file:
        file.write(buffer.getvalue())
    return summary


def _whole(call: ConvertCall, expected: list[tuple[str, int]]) -> Iterator[Sample]:
    """The records of a shard of ours, which are those that its table names, in that order."""
    count = 0
    with call.source.store.open(call.shard.name) as file:
        for record in call.source.shard_format.read(file):
            if isinstance(record, Damage):
                raise _not_whole(call, f"record {record.record} is damaged ({record.detail})")
            sample = record[1]
            if count == len(expected) or sample.label != expected[count][1]:
                raise _not_whole(call, f"record {count} is not the one that its table names")
            label = sample.label
            known = 0 <= label < len(call.source.labels)
            yield replace(
                sample,
                key=expected[count][0],
                text=sample.text or (call.source.labels[label] if known else ""),
            )
            count += 1
    if count < len(expected):
        raise _not_whole(call, f"it has {count} records, its table names {len(expected)}")


def _not_whole(call: ConvertCall, what: str) -> DamageError:
    root = call.source.root
    return DamageError(f"{root}/{call.shard.name}: {what}. Run `shardmill verify {root} --repair` first.")


def _replaced(table: pa.Table, places: list[Placement]) -> pa.Table:
    """The table with the new places of its written rows."""
    numbers = table["index"].to_pylist()
    for name, values in (
        ("offset", [None if number is None else places[number].offset for number in numbers]),
        ("length", [None if number is None else places[number].length for number in numbers]),
    ):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array(values, pa.int64()))
    return table


def _summary_text(old: bytes | None, summary: ShardSummary) -> bytes:
    """As JSON, with the sums over pixels that the source's has: the pixels are the same."""
    before = json.loads(old or b"{}")
    kept = {name: before[name] for name in ("pixels", "channel_totals", "channel_squares") if name in before}
    return json.dumps({**asdict(summary), **kept}).encode()


def _copy_foreign(call: ConvertCall) -> ShardSummary:
    """The records that can be read and decoded; a failed row for each of the others."""
    statuses: Counter[str] = Counter()
    with call.dest.publish(samples_name(call.shard.number)) as table:
        samples = SamplesWriter(table, pa.schema([]))
        with call.dest.publish(call.name) as file:
            output = _Output(call, file)
            placed = PlacedRows(samples, output.writer)
            for row, sample in _foreign_rows(call):
                if sample is not None:
                    output.writer.add(sample)
                placed.add(row, (), written=sample is not None)
                statuses[row["status"]] += 1
            output.finish()
            placed.flush()
        output.publish_index()
        summary = output.summary(statuses)
        samples.finish(summary)
    return summary


def _foreign_rows(call: ConvertCall) -> Iterator[tuple[dict[str, Any], Sample | None]]:
    journal = isolation.journal()
    stem = call.shard.name.partition(".")[0]
    seen: Counter[str] = Counter()
    for number, record in enumerate(call.source.records(call.shard)):
        row: dict[str, Any] = {"uri": call.shard.name, "split": call.split, "label": -1, "status": "failed"}
        if isinstance(record, Damage):
            key = f"{stem}/record-{number}"
            yield row | {"key": key, "reason": record.kind, "error": record.detail}, None
            continue
        sample = record[1]
        key = f"{stem}/{sample.key.lstrip('/') or f'record-{number}'}"
        seen[key] += 1
        if seen[key] > 1:
            key = f"{key}~{seen[key]}"
        label = max(sample.label, -1)
        row |= {"key": key, "label": label, "class": sample.text or None, "source_bytes": len(sample.image)}
        if number in call.blamed:
            yield row | {"reason": "undecodable", "error": f"decoding it {call.blamed[number]}"}, None
            continue
        journal.take(number)
        size = decoded_size(sample.image)
        journal.finish(number)
        if isinstance(size, str):
            yield row | {"reason": "undecodable", "error": size}, None
            continue
        width, height = size
        kind = sniff(sample.image) or ""
        row |= {
            "status": "written",
            "source_format": kind,
            "source_width": width,
            "source_height": height,
            "sha256": hashlib.sha256(sample.image).hexdigest(),
            "width": width,
            "height": height,
            "conversions": "",
        }
        filename = sample.filename or key.rpartition("/")[2]
        copied = replace(sample, key=key, label=label, width=width, height=height, filename=filename)
        yield row, replace(copied, image_format=kind.upper())
