"""What `prepare` returns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shardmill.operations.prepare.finish import Findings
from shardmill.operations.prepare.planning import Draft, largest_shard
from shardmill.operations.prepare.samples import ShardSummary
from shardmill.plan.store import Plan
from shardmill.shown import Shown


@dataclass(frozen=True, slots=True)
class PrepareResult(Shown):
    """What a run made, or would make."""

    dest: str
    dry_run: bool
    already_complete: bool
    listed: int
    written: int
    skipped: int
    failed: int
    shards: int
    resumed_shards: int
    """Of `shards`, those that an earlier run had committed."""
    bytes: int
    """Of all shards; of a dry run, expected."""
    seconds: float
    splits: dict[str, dict[str, int]]
    reasons: dict[str, int]
    failures: tuple[tuple[str, str], ...]
    """The first few inputs that failed, with the reason."""
    duplicates: dict[str, int]
    classes: int
    unlabelled: int
    """Records without a class."""
    lost: int
    """Records that a repair had to give up since; `retry_failed` makes them again."""
    ignored_files: dict[str, int]
    retries: Mapping[str, int] = field(default_factory=dict)
    """Requests to object stores that failed in transport and were repeated, by reason: a status, `reset`, `timeout` ..."""
    draft: dict[str, Any] | None = None
    """Of a dry run: what was found and assumed."""


def made(
    dest: str,
    plan: Plan,
    summaries: Sequence[ShardSummary],
    findings: Findings,
    seconds: float,
    resumed: int,
    retries: Mapping[str, int],
) -> PrepareResult:
    """The result of a run."""
    return PrepareResult(
        dest=dest,
        dry_run=False,
        already_complete=False,
        listed=sum(plan.listed.values()),
        written=sum(summary.count for summary in summaries),
        skipped=sum(summary.skipped for summary in summaries),
        failed=sum(summary.failed for summary in summaries),
        shards=len(summaries),
        resumed_shards=resumed,
        bytes=sum(summary.bytes for summary in summaries),
        seconds=seconds,
        splits=findings.splits(plan),
        reasons=dict(findings.reasons.most_common()),
        failures=tuple(findings.failures),
        duplicates={"exact": findings.exact_duplicates, "across_splits": findings.across_splits},
        classes=len(plan.classes),
        unlabelled=findings.classes[-1],
        lost=0,
        ignored_files=plan.ignored,
        retries=retries,
    )


def recalled(dest: str, plan: Plan, manifest: bytes, seconds: float) -> PrepareResult | None:
    """The result of a run that found the set complete, from the set's manifest; None if that is damaged."""
    try:
        data = json.loads(manifest)["data"]
        return _from_manifest(dest, plan, data, seconds)
    except (ValueError, KeyError, TypeError):
        return None


def _from_manifest(dest: str, plan: Plan, data: Mapping[str, Any], seconds: float) -> PrepareResult:
    return PrepareResult(
        dest=dest,
        dry_run=False,
        already_complete=True,
        **{name: data["totals"][name] for name in ("listed", "written", "skipped", "failed")},
        shards=len(data["shards"]),
        resumed_shards=len(data["shards"]),
        bytes=sum(shard["bytes"] for shard in data["shards"]),
        seconds=seconds,
        splits=data["splits"],
        reasons=data["reasons"],
        failures=(),
        duplicates=data["duplicates"],
        classes=len(plan.classes),
        unlabelled=data["unlabelled"],
        lost=data["totals"].get("lost", 0),
        ignored_files=data["ignored_files"],
    )


def planned(draft: Draft, dest: str, seconds: float, cores: int) -> PrepareResult:
    """The result of a dry run."""
    listed = sum(draft.listed.values())
    return PrepareResult(
        dest=dest,
        dry_run=True,
        already_complete=False,
        listed=listed,
        written=0,
        skipped=0,
        failed=0,
        shards=sum(draft.shards.values()),
        resumed_shards=0,
        bytes=int(listed * draft.record.bytes),
        seconds=seconds,
        splits={split: {"shards": draft.shards[split], "listed": count} for split, count in draft.listed.items()},
        reasons={},
        failures=(),
        duplicates={},
        classes=len(draft.classes),
        unlabelled=draft.unlabelled,
        lost=0,
        ignored_files=draft.ignored,
        draft={
            "inputs_per_shard": largest_shard(draft),
            "record_bytes": round(draft.record.bytes),
            "sampled_images": draft.record.sampled,
            "source_bytes": draft.source_bytes,
            "numbered_keys": draft.repeats,
            "cores": cores,
        },
    )
