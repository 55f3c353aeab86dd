"""`shardmill prepare`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from shardmill.cli.parse import Command, print_json
from shardmill.cli.progress import progress_listener
from shardmill.operations.prepare.result import PrepareResult
from shardmill.operations.prepare.run import prepare
from shardmill.units import format_bytes, format_count, format_seconds, printable

_GROUPS: Final = {
    "size": "images",
    "transform": "shards",
    "input_format": "source",
    "labels_file": "labels, splits, order",
    "engine": "running it",
    "on_exists": "continuing and failing",
    "storage_options": "object stores",
    "dry_run": "telling",
}
_EXAMPLES: Final = """\
  shardmill prepare photos/ shards/ --size 224
  shardmill prepare photos/ shards/ --splits train=0.9,val=0.1 --num-shards 16
  shardmill prepare list.csv shards/ --image-col path --label-col species --group-col patient
  shardmill prepare photos/ shards/ --engine spark --master spark://host:7077
  shardmill prepare gs://bucket/photos gs://bucket/shards
  shardmill prepare photos/ shards/ --dry-run
"""

COMMAND: Final = Command("prepare", prepare, groups=_GROUPS, examples=_EXAMPLES)


def run(words: Sequence[str]) -> int:
    arguments, as_json = COMMAND.parse(words)
    with progress_listener() as listener:
        result = prepare(**arguments, on_event=listener)
    if as_json:
        print_json(result)
    else:
        print("\n".join(lines(result)))
    if result.failed:
        print(f"shardmill: {format_count(result.failed, 'input')} failed; see {result.dest}/_samples", file=sys.stderr)
    return 0


def lines(result: PrepareResult) -> list[str]:
    """The result for people."""
    if result.dry_run:
        return _plan_lines(result)
    if result.already_complete:
        lost = (
            f" {format_count(result.lost, 'record')} were lost in a repair: --retry-failed makes them again."
            if result.lost
            else ""
        )
        return [
            f"{result.dest} is {'already complete' if not lost else 'as the repair left it'}: {format_count(result.written, 'record')} in {format_count(result.shards, 'shard')}.{lost}",
            "The source was not listed again; --on-exists overwrite starts anew.",
        ]
    rate = f" ({result.listed / result.seconds:,.0f} images/s)" if result.seconds and not result.resumed_shards else ""
    text = [
        (
            f"{result.dest}: {format_count(result.written, 'record')} in {format_count(result.shards, 'shard')}, "
            f"{format_bytes(result.bytes)}, {format_seconds(result.seconds)}{rate}"
        ),
        f"  inputs   {result.listed:,} listed = {result.written:,} written + {result.skipped:,} skipped + {result.failed:,} failed",
    ]
    if len(result.splits) > 1:
        text.append("  splits   " + ", ".join(f"{name} {split['written']:,}" for name, split in result.splits.items()))
    if result.unlabelled and result.classes:
        text.append(f"  labels   {format_count(result.unlabelled, 'record')} without a class (label -1)")
    if result.resumed_shards:
        text.append(f"  resumed  {format_count(result.resumed_shards, 'shard')} of an earlier run kept")
    if result.retries:
        reasons = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in result.retries.items())
        text.append(f"  retries  {format_count(sum(result.retries.values()), 'request')} repeated ({reasons})")
    if result.reasons:
        text.append(
            "  reasons  "
            + ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in result.reasons.items())
        )
    text += [f"           {printable(key)}: {printable(reason)}" for key, reason in result.failures[:10]]
    if result.duplicates["exact"]:
        crossing = result.duplicates["across_splits"]
        text.append(
            f"  copies   {format_count(result.duplicates['exact'], 'exact duplicate')}"
            + (f", {crossing:,} of them across splits: a leak" if crossing else "")
            + "; --drop-duplicates leaves them out"
        )
    return text + _ignored_lines(result)


def _plan_lines(result: PrepareResult) -> list[str]:
    draft = result.draft or {}
    source = draft["source_bytes"]
    text = [
        f"plan for {result.dest} (nothing was written)",
        f"  inputs   {result.listed:,}"
        + (f", {format_bytes(source)}" if source is not None else ", sizes not known before reading"),
        f"  classes  {result.classes:,}" + (f", {result.unlabelled:,} inputs unlabelled" if result.unlabelled else ""),
        "  splits   " + ", ".join(f"{name} {split['listed']:,}" for name, split in result.splits.items()),
        f"  shards   {result.shards:,}, up to {draft['inputs_per_shard']:,} inputs each",
    ]
    basis = (
        f"from {format_count(draft['sampled_images'], 'sampled image')}"
        if draft["sampled_images"]
        else "assumed, no image sampled"
    )
    text.append(
        f"  output   about {format_bytes(result.bytes)} ({format_bytes(draft['record_bytes'])} a record, {basis})"
    )
    text.append(f"  memory   about {draft['cores'] * 150 + 150} MB with {format_count(draft['cores'], 'worker')}")
    if draft["numbered_keys"]:
        text.append(f"  keys     {draft['numbered_keys']:,} repeats will be numbered ~2, ~3 …")
    return text + _ignored_lines(result)


def _ignored_lines(result: PrepareResult) -> list[str]:
    if not result.ignored_files:
        return []
    kinds = ", ".join(
        f"{printable(suffix) or 'no suffix'} {count:,}" for suffix, count in sorted(result.ignored_files.items())
    )
    return [f"  ignored  {kinds}: not images by name; --include takes them"]
