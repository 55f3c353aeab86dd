"""Counts what the shards' tables say, writes the manifest, and marks the data set whole."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shardmill.errors import ShardmillError
from shardmill.image.sums import added, channel_facts
from shardmill.layout import DUPLICATES, LABELS, MANIFEST, MANIFEST_FORMAT, samples_name
from shardmill.operations.prepare.samples import ShardSummary
from shardmill.plan.sort import external_sort
from shardmill.plan.store import Plan
from shardmill.storage import Store
from shardmill.storage.window import in_order

_SHOWN_FAILURES: Final = 20


@dataclass(slots=True)
class Findings:
    """What the tables of all shards add up to."""

    classes: Counter[int]
    statuses: Counter[tuple[str, str]]
    """By split and status."""
    reasons: Counter[str]
    conversions: Counter[str]
    failures: list[tuple[str, str]]
    """The first few, as key and reason."""
    exact_duplicates: int = 0
    across_splits: int = 0

    def splits(self, plan: Plan) -> dict[str, dict[str, int]]:
        """Counts of each split."""
        return {
            split: {
                "shards": sum(task.split == split for task in plan.tasks),
                "listed": plan.listed[split],
                **{status: self.statuses[split, status] for status in ("written", "skipped", "failed")},
            }
            for split in sorted(plan.listed)
        }


def read_findings(store: Store, numbers: Iterable[int], scratch: Path) -> Findings:
    """Go through the tables of all shards once, in bounded memory; writes the list of duplicates where there are any."""
    findings = Findings(Counter(), Counter(), Counter(), Counter(), [])
    hashed = external_sort(_scan(store, numbers, findings), scratch)
    _list_duplicates(hashed, store, findings)
    return findings


def _scan(store: Store, numbers: Iterable[int], findings: Findings) -> Iterator[pa.RecordBatch]:
    """Counts everything on the way; yields the hashes of the written inputs, sortable."""
    ordinal = 0
    columns = ["key", "split", "label", "status", "reason", "error", "conversions", "sha256"]
    for number in numbers:
        with store.open(samples_name(number)) as file:
            for batch in pq.ParquetFile(file).iter_batches(batch_size=1 << 15, columns=columns):
                written = batch.filter(pc.equal(batch.column("status"), "written"))
                _count(batch, written, findings)
                if written.num_rows:
                    yield _sortable(written, ordinal)
                    ordinal += written.num_rows


def _count(batch: pa.RecordBatch, written: pa.RecordBatch, findings: Findings) -> None:
    findings.classes.update(_counts(written.column("label")))
    findings.reasons.update(_counts(batch.column("reason").drop_null()))
    statuses = pc.binary_join_element_wise(batch.column("split"), batch.column("status"), "/")
    for name, count in _counts(statuses).items():
        split, _, status = name.rpartition("/")
        findings.statuses[split, status] += count
    for names, count in _counts(written.column("conversions")).items():
        findings.conversions.update(dict.fromkeys(filter(None, names.split(",")), count))
    if len(findings.failures) < _SHOWN_FAILURES:
        failed = batch.filter(pc.equal(batch.column("status"), "failed"))
        shown = failed.slice(0, _SHOWN_FAILURES - len(findings.failures)).to_pylist()
        findings.failures += [(row["key"], row["error"]) for row in shown]


def _counts(column: pa.Array) -> dict[Any, int]:
    return {row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()}


def _sortable(written: pa.RecordBatch, ordinal: int) -> pa.RecordBatch:
    digests = (
        np.frombuffer(bytes.fromhex("".join(written.column("sha256").to_pylist())), ">u8")
        .reshape(-1, 4)
        .astype(np.uint64)
    )
    return pa.RecordBatch.from_pydict(
        {
            "key": written.column("key"),
            "split": written.column("split"),
            "sha256": written.column("sha256"),
            "_first": pa.array(digests[:, 0]),
            "_second": pa.array(digests[:, 1]),
            "_ordinal": pa.array(np.arange(ordinal, ordinal + written.num_rows, dtype=np.uint64)),
        }
    )


def _list_duplicates(hashed: Iterable[pa.RecordBatch], store: Store, findings: Findings) -> None:
    """Write the rows whose hash stands more than once, and count them."""
    store.remove(DUPLICATES)
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        digest, splits = "", set[str]()
        for batch in map(_repeated, _with_neighbours(hashed)):
            if batch.num_rows == 0:
                continue
            if writer is None:
                file = stack.enter_context(store.publish(DUPLICATES))
                writer = stack.enter_context(pq.ParquetWriter(file, batch.schema, compression="zstd"))
            writer.write_batch(batch)
            for row_digest, row_split in zip(
                *(batch.column(name).to_pylist() for name in ("sha256", "split")), strict=True
            ):
                if row_digest != digest:
                    findings.across_splits += len(splits) > 1
                    digest, splits = row_digest, {row_split}
                else:
                    findings.exact_duplicates += 1
                    splits.add(row_split)
        findings.across_splits += len(splits) > 1


def _with_neighbours(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch, str]]:
    """Each batch with the hash before its first row and the one behind its last; empty where there is none."""
    before, held = "", None
    for batch in batches:
        if held is not None:
            yield before, held, batch.column("sha256")[0].as_py()
            before = held.column("sha256")[-1].as_py()
        held = batch
    if held is not None:
        yield before, held, ""


def _repeated(neighbourhood: tuple[str, pa.RecordBatch, str]) -> pa.RecordBatch:
    """The rows of a sorted batch whose hash stands in the row before or behind too."""
    before, batch, behind = neighbourhood
    digests = np.array([before, *batch.column("sha256").to_pylist(), behind])
    same = digests[1:] == digests[:-1]
    return batch.filter(pa.array(same[:-1] | same[1:])).select(["sha256", "key", "split"])


def build_manifest(
    plan: Plan, summaries: Sequence[ShardSummary], findings: Findings, store: Store, run: dict[str, Any]
) -> dict[str, Any]:
    """The manifest: facts of the data, which repeat, apart from facts of the run, which do not.

    Raises:
        ShardmillError: the inputs do not add up. That would be a bug.
    """
    splits = findings.splits(plan)
    totals = {
        name: sum(counts[name] for counts in splits.values()) for name in ("listed", "written", "skipped", "failed")
    }
    by_shard = sum(summary.count for summary in summaries)
    if totals["written"] + totals["skipped"] + totals["failed"] != totals["listed"] or by_shard != totals["written"]:
        raise ShardmillError(
            f"the inputs do not add up: {totals}, {by_shard} records in shards. This is a bug: please report it."
        )
    return {
        "format": MANIFEST_FORMAT,
        "data": {
            "shard_format": plan.spec["shard_format"],
            "feature_keys": plan.spec["feature_keys"],
            "compression": plan.spec.get("compression", "none"),
            "plan": plan.digest,
            "transform": plan.spec["transform"],
            "fingerprint": plan.fingerprint,
            "spec": plan.spec,
            "splits": splits,
            "shards": shard_entries(summaries, store),
            "totals": totals,
            "classes": [
                {"label": label, "name": name, "count": findings.classes[label]}
                for label, name in enumerate(plan.classes)
            ],
            "unlabelled": findings.classes[-1],
            "channels": channel_facts(added(summary.sums for summary in summaries)),
            "conversions": dict(sorted(findings.conversions.items())),
            "reasons": dict(sorted(findings.reasons.items())),
            "duplicates": {"exact": findings.exact_duplicates, "across_splits": findings.across_splits},
            "numbered_keys": plan.repeats,
            "ignored_files": dict(sorted(plan.ignored.items())),
        },
        "run": run,
    }


def shard_entries(summaries: Sequence[ShardSummary], store: Store) -> list[dict[str, Any]]:
    """What the manifest says of each shard."""
    digests = in_order(
        lambda summary: _file_digest(store, samples_name(summary.number)), summaries, store.reads_at_once
    )
    return [
        {
            "name": summary.name,
            "split": summary.split,
            "count": summary.count,
            "listed": summary.listed,
            "bytes": summary.bytes,
            "sha256": summary.sha256,
            "index_bytes": summary.index_bytes,
            "index_sha256": summary.index_sha256,
            "samples_sha256": digest(),
        }
        for summary, digest in digests
    ]


def write_manifest(store: Store, plan: Plan, manifest: dict[str, Any]) -> None:
    """Publish `labels.txt` and `_manifest.json`."""
    with store.publish(LABELS) as file:
        file.write("".join(f"{name}\n" for name in plan.classes).encode())
    with store.publish(MANIFEST) as file:
        file.write(json.dumps(manifest, indent=1).encode())


def _file_digest(store: Store, path: str) -> str:
    with store.open(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any binary file will do


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder of this machine for sorting, gone when closed."""
    return tempfile.TemporaryDirectory(prefix="shardmill-")
