"""What can be told of a data set: from its manifest and tables, or from the records that were looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from shardmill.dataset import Dataset
from shardmill.formats.file_names import missing_siblings
from shardmill.operations.show.sampling import ClassKey, Draw

_MOST_FAILURES: Final = 20
RGB = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ClassCount:
    """One class of the set."""

    label: int
    name: str
    count: int | None
    """Records; None where only a part of the set was looked at."""


@dataclass(frozen=True, slots=True)
class SetFacts:
    """All that `show` tells of a data set. What nobody knows without reading everything is None or empty."""

    prepared: bool
    """Written by `shardmill prepare`, so that a manifest tells."""
    complete: bool
    records: int | None
    shards: int
    missing_shards: int
    """Files that the names of the others promise (`-00000-of-00016`)."""
    bytes: int
    splits: dict[str, dict[str, int]]
    """By split: `shards`, and where known `listed`, `written`, `skipped`, `failed`."""
    classes: tuple[ClassCount, ...]
    unlabelled: int
    mean: RGB | None
    """Per channel, R G B, 0 to 1."""
    std: RGB | None
    source_sizes: tuple[tuple[int, int], ...]
    """Upright width and height of the smallest, the median and the largest input, by pixels, among those looked at."""
    conversions: dict[str, int]
    reasons: dict[str, int]
    """Inputs that were not written, by reason."""
    failures: tuple[tuple[str, str], ...]
    """The first few inputs that failed, with the reason."""
    skipped: int
    failed: int
    duplicates: dict[str, int]
    ignored_files: dict[str, int]


def set_facts(dataset: Dataset, draw: Draw) -> SetFacts:
    """Collect them; reads the tables of those shards only that have lost inputs."""
    sizes = _three_sizes(draw.source_sizes)
    if dataset.manifest is None:
        return _facts_of_files(dataset, draw)
    facts: Mapping[str, Any] = dataset.manifest["data"]
    totals = facts["totals"]
    channels = facts["channels"]
    return SetFacts(
        prepared=True,
        complete=dataset.complete,
        records=totals["written"],
        shards=len(dataset.shards),
        missing_shards=0,
        bytes=sum(shard.bytes or 0 for shard in dataset.shards),
        splits=facts["splits"],
        classes=tuple(ClassCount(entry["label"], entry["name"], entry["count"]) for entry in facts["classes"]),
        unlabelled=facts.get("unlabelled", 0),
        mean=_rgb(channels["mean"]) if channels["pixels"] else None,
        std=_rgb(channels["std"]) if channels["pixels"] else None,
        source_sizes=sizes,
        conversions=facts["conversions"],
        reasons=facts["reasons"],
        failures=_failures(dataset) if totals["failed"] else (),
        skipped=totals["skipped"],
        failed=totals["failed"],
        duplicates=facts["duplicates"],
        ignored_files=facts["ignored_files"],
    )


def _facts_of_files(dataset: Dataset, draw: Draw) -> SetFacts:
    counted = all(shard.name in draw.records for shard in dataset.shards)
    records = sum(draw.records.values()) if counted else None
    exact = records is not None and records == draw.classes.total()
    named: dict[ClassKey, int] = dict.fromkeys(enumerate(dataset.labels), 0)
    found = Counter({of: seen for of, seen in draw.classes.items() if of != (-1, "")})
    classes = {**named, **found}
    splits: dict[str, dict[str, int]] = {}
    for split in dataset.splits:
        members = dataset.of_split(split)
        splits[split] = {"shards": len(members)}
        if counted:
            splits[split]["written"] = sum(draw.records[shard.name] for shard in members)
    return SetFacts(
        prepared=False,
        complete=dataset.complete,
        records=records,
        shards=len(dataset.shards),
        missing_shards=len(missing_siblings([shard.name for shard in dataset.shards])),
        bytes=sum(dataset.store.size(shard.name) or 0 for shard in dataset.shards),
        splits=splits,
        classes=tuple(ClassCount(*of, seen if exact else None) for of, seen in sorted(classes.items())),
        unlabelled=draw.classes[-1, ""],
        mean=None,
        std=None,
        source_sizes=(),
        conversions={},
        reasons={},
        failures=(),
        skipped=0,
        failed=0,
        duplicates={},
        ignored_files={},
    )


def _failures(dataset: Dataset) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for shard in dataset.shards:
        lost = shard.count is not None and shard.listed is not None and shard.count < shard.listed
        if lost and dataset.store.size(shard.samples_name) is not None:
            with dataset.store.open(shard.samples_name) as file:
                table = pq.read_table(file, columns=["key", "status", "reason", "error"])
            for row in table.filter(pc.equal(table["status"], "failed")).to_pylist():
                found.append((row["key"], row["error"] or row["reason"]))
                if len(found) == _MOST_FAILURES:
                    return tuple(found)
    return tuple(found)


def _three_sizes(sizes: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    if not sizes:
        return ()
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    return ordered[0], ordered[len(ordered) // 2], ordered[-1]


def _rgb(values: Sequence[float]) -> RGB:
    red, green, blue = values
    return red, green, blue
