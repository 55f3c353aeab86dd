"""What can be wrong with a data set apart from its shards: manifest, labels, strangers among the files."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from shardmill.dataset import Dataset
from shardmill.formats.file_names import missing_siblings, shard_kind
from shardmill.layout import LABELS, MANIFEST, SUCCESS
from shardmill.operations.verify.result import Finding
from shardmill.operations.verify.shard import ShardReport

_STATUSES: Final = ("written", "skipped", "failed", "lost")


def check_whole(dataset: Dataset) -> Iterator[Finding]:
    """Everything that needs no shard to be opened."""
    if not dataset.complete:
        yield Finding(SUCCESS, "incomplete", "the run that made this set has not ended, or its mark was removed")
    if dataset.manifest is None:
        for name in missing_siblings([] if dataset.chosen else [shard.name for shard in dataset.shards]):
            yield Finding(name, "missing_shard", "the names of its neighbours promise this file")
        return
    data = dataset.manifest["data"]
    yield from _check_mark(dataset)
    yield from _check_labels(dataset)
    yield from _check_sums(data)
    yield from _check_names(dataset)


def check_totals(dataset: Dataset, reports: Sequence[ShardReport], *, deep: bool) -> Iterator[Finding]:
    """The manifest's totals against what was counted. Damaged shards have findings of their own."""
    if dataset.manifest is None or any(report.findings_total for report in reports):
        return
    data = dataset.manifest["data"]
    statuses: Counter[str] = Counter()
    for report in reports:
        statuses.update(report.statuses)
    for status in _STATUSES:
        said = data["totals"].get(status, 0)
        if statuses[status] != said:
            yield Finding(MANIFEST, "totals", f"it says {said} {status}, the samples tables say {statuses[status]}")
    if deep:
        labels: Counter[int] = Counter()
        for report in reports:
            labels.update(report.labels)
        for entry in data["classes"]:
            if labels[entry["label"]] != entry["count"]:
                detail = f"it says {entry['count']} of class {entry['label']} ({entry['name']}), there are {labels[entry['label']]}"
                yield Finding(MANIFEST, "totals", detail)


def check_strangers(dataset: Dataset) -> Iterator[Finding]:
    """Files that readers would take for shards and that the manifest does not name."""
    if dataset.manifest is None:
        return
    known = {shard.name for shard in dataset.shards}
    own_kind = dataset.manifest["data"]["shard_format"]
    for entry in dataset.store.list():
        if entry.path not in known and shard_kind(entry.path) == own_kind:
            yield Finding(entry.path, "stray_file", "it is named like a shard, and the manifest does not know it")


def _check_mark(dataset: Dataset) -> Iterator[Finding]:
    """`_SUCCESS` may hold the manifest's SHA-256; an empty one says nothing."""
    if dataset.complete:
        mark = dataset.store.read(SUCCESS).strip().decode(errors="replace")
        if mark and mark != hashlib.sha256(dataset.store.read(MANIFEST)).hexdigest():
            yield Finding(
                MANIFEST,
                "manifest",
                f"it is not the one that the run ended with (its SHA-256 is not the one in {SUCCESS})",
            )


def _check_labels(dataset: Dataset) -> Iterator[Finding]:
    if dataset.store.size(LABELS) is None:
        yield Finding(LABELS, "labels", "the list of classes is not there")
        return
    if dataset.store.read(LABELS) != "".join(f"{name}\n" for name in dataset.labels).encode():
        yield Finding(LABELS, "labels", f"its lines are not the {len(dataset.labels)} classes of the manifest")


def _check_sums(data: dict[str, Any]) -> Iterator[Finding]:
    """Whether the manifest agrees with itself."""
    splits, shards, totals = data["splits"], data["shards"], data["totals"]
    for name, counts in {"all splits": totals, **splits}.items():
        parts = sum(counts.get(status, 0) for status in _STATUSES)
        if parts != counts["listed"]:
            yield Finding(
                MANIFEST, "totals", f"{name}: {parts} inputs are accounted for, {counts['listed']} were listed"
            )
    for split, counts in splits.items():
        own = [shard for shard in shards if shard["split"] == split]
        for what, said, summed in (
            ("shards", counts["shards"], len(own)),
            ("written", counts["written"], sum(shard["count"] for shard in own)),
            ("listed", counts["listed"], sum(shard["listed"] for shard in own)),
        ):
            if said != summed:
                yield Finding(MANIFEST, "totals", f"{split}: it says {said} {what}, its shards add up to {summed}")
    for what in ("listed", "written", "skipped", "failed"):
        summed = sum(counts[what] for counts in splits.values())
        if totals[what] != summed:
            yield Finding(MANIFEST, "totals", f"it says {totals[what]} {what} in all, its splits add up to {summed}")


def _check_names(dataset: Dataset) -> Iterator[Finding]:
    names = Counter(shard.name for shard in dataset.shards)
    for name, count in names.items():
        if count > 1:
            yield Finding(MANIFEST, "manifest", f"it names {name} {count} times")
    for name in missing_siblings(list(names)):
        yield Finding(
            name, "missing_shard", "the manifest does not name it, though the names of its neighbours promise it"
        )
