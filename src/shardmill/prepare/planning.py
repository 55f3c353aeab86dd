"""Takes the plan: list, decide splits and labels, number repeats, find duplicates if asked, order, cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from shardmill import registry
from shardmill.engines.base import Engine
from shardmill.errors import UsageError
from shardmill.image.base import Encoded, Transform
from shardmill.plan import store as plan_store
from shardmill.plan.cut import cut, shard_rows, shards_per_split
from shardmill.plan.listing import Census, annotate, class_names, in_final_order, number_repeats, split_counts
from shardmill.plan.store import Plan
from shardmill.prepare.duplicates import without_duplicates
from shardmill.prepare.staging import list_batches
from shardmill.sources.base import STAGED, Source, StagedSource
from shardmill.sources.names import to_path
from shardmill.spec import PrepareSpec
from shardmill.storage import Store, UnreadableError, open_store

_RECORD_OVERHEAD = 400
"""Bytes of a record beside its image, about."""
_UNREAD_RECORD_BYTES = 30_000
"""Assumed where no sampled image can be read or decoded."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan without its rows: what `--dry-run` shows."""

    listed: dict[str, int]
    shards: dict[str, int]
    classes: tuple[str, ...]
    unlabelled: int
    repeats: int
    ignored: dict[str, int]
    source_bytes: int | None
    """None: the source does not tell sizes."""
    record_bytes: float
    """Expected size of a record."""
    sampled: int
    """Images that the expectation comes from."""


def draft_plan(
    source: Source | StagedSource,
    spec: PrepareSpec,
    scratch: Path,
    dest: Store | None,
    engine: Engine | None,
    tick: Callable[[int], None],
) -> tuple[Draft, Iterator[pa.RecordBatch]]:
    """Everything up to cutting; the second result is the rows in their final order, to be read once.

    Args:
        dest: where images that must be copied out of their containers go; None only looks.
        engine: reads all images for `drop_duplicates`; None only looks.

    Raises:
        UsageError: no images, or labels, splits or shards that do not fit the request.
    """
    census = Census()
    rows: Iterable[pa.RecordBatch] = annotate(list_batches(source, dest), spec, census, tick)
    numbered = _first_pass(rows, source, census, scratch)
    if census.rows == 0:
        raise UsageError(_nothing_found(source))
    if spec.drop_duplicates and engine is not None and dest is not None:
        numbered = without_duplicates(numbered, source, dest, engine, scratch)
    ordered = in_final_order(numbered, spec, scratch)
    classes = (
        source.class_names
        if source.class_names and spec.labels is None
        else class_names(census, spec, numeric=source.numeric_labels)
    )
    counts, ordered = _count_splits(ordered, spec.limit, scratch)
    record_bytes, sampled = _expected_record(census.sample, source, spec, dest)
    shards = shards_per_split(spec.sharding, counts, record_bytes)
    draft = Draft(
        listed=dict(sorted(counts.items())),
        shards=shards,
        classes=classes,
        unlabelled=census.unlabelled,
        repeats=census.repeats,
        ignored=dict(source.ignored),
        source_bytes=census.known_bytes if census.rows_with_size else None,
        record_bytes=record_bytes,
        sampled=sampled,
    )
    return draft, ordered


def take_plan(
    source: Source | StagedSource,
    source_name: str,
    spec: PrepareSpec,
    scratch: Path,
    dest: Store,
    engine: Engine,
    tick: Callable[[int], None],
) -> Plan:
    """The whole plan, written to `dest`."""
    draft, ordered = draft_plan(source, spec, scratch, dest, engine, tick)
    tasks = cut(ordered, dest, draft.listed, draft.shards, draft.classes)
    plan = Plan(
        spec=spec.to_json(),
        source=source_name,
        source_root=source.root,
        fingerprint=fingerprint(spec),
        rows_sha256=plan_store.rows_digest(tasks, dest),
        classes=draft.classes,
        listed=draft.listed,
        ignored=draft.ignored,
        repeats=draft.repeats,
        tasks=tuple(tasks),
    )
    plan_store.save(plan, dest)
    return plan


def fingerprint(spec: PrepareSpec) -> str:
    """Fingerprint of the spec's transform on this machine."""
    transform: Transform = registry.load(registry.TRANSFORMS, "transform", spec.transform)(spec.image)
    return transform.fingerprint()


def largest_shard(draft: Draft) -> int:
    """Inputs of the largest shard."""
    return max(shard_rows(count, draft.shards[split])[0] for split, count in draft.listed.items())


def _first_pass(
    rows: Iterable[pa.RecordBatch], source: Source | StagedSource, census: Census, scratch: Path
) -> Iterator[pa.RecordBatch]:
    """Reads all of `rows`, so that `census` is complete on return."""
    spooled = _spool(rows, scratch / "listing.arrows")
    if source.unique_keys:
        return (batch.append_column("_repeat", pa.nulls(batch.num_rows, pa.uint64()).fill_null(0)) for batch in spooled)
    return number_repeats(spooled, scratch, census)


def _spool(batches: Iterable[pa.RecordBatch], path: Path) -> Iterator[pa.RecordBatch]:
    """Write all batches to a file of this machine, at once; the result reads them back."""
    with path.open("xb") as file:
        writer = None
        for batch in batches:
            writer = writer or pa.ipc.new_stream(file, batch.schema)
            writer.write_batch(batch)
        if writer is not None:
            writer.close()

    def read() -> Iterator[pa.RecordBatch]:
        with path.open("rb") as file:
            if path.stat().st_size:
                yield from pa.ipc.open_stream(file)
        path.unlink()

    return read()


def _count_splits(
    ordered: Iterator[pa.RecordBatch], limit: int | None, scratch: Path
) -> tuple[Counter[str], Iterator[pa.RecordBatch]]:
    """Rows of each split, after `limit`, and the rows again."""
    counts: Counter[str] = Counter()

    def counted() -> Iterator[pa.RecordBatch]:
        left = limit
        for batch in ordered:
            kept = batch if left is None else batch.slice(0, left)
            counts.update(split_counts(kept))
            yield kept
            if left is not None:
                left -= kept.num_rows
                if left == 0:
                    return

    return counts, _spool(counted(), scratch / "ordered.arrows")


def _expected_record(
    sample: list[pa.RecordBatch], source: Source | StagedSource, spec: PrepareSpec, dest: Store | None
) -> tuple[float, int]:
    """Mean bytes of a record over a fixed sample of the inputs, and how many of them could be decoded."""
    if spec.sharding.num_shards or spec.sharding.per_split or spec.sharding.samples_per_shard:
        return _UNREAD_RECORD_BYTES, 0
    # The native transform serves for both: its sizes are the same within a few percent, and it costs no import.
    transform: Transform = registry.load(registry.TRANSFORMS, "transform", "native")(spec.image)
    outcomes = transform.run(_sampled_images(sample, source, dest, spec.max_source_bytes))
    sizes = [len(outcome.jpeg) for outcome in outcomes if isinstance(outcome, Encoded)]
    if not sizes:
        return _UNREAD_RECORD_BYTES, 0
    return sum(sizes) / len(sizes) + _RECORD_OVERHEAD, len(sizes)


def _sampled_images(
    sample: list[pa.RecordBatch], source: Source | StagedSource, dest: Store | None, limit: int
) -> Iterator[bytes]:
    store = open_store(source.root)
    for row in pa.Table.from_batches(sample).to_pylist():
        staged = isinstance(source, StagedSource) and row["uri"].startswith(STAGED)
        holder = dest if staged else store
        if holder is None or row["uri"] in ("", STAGED) or (row["size"] or 0) > limit:
            continue
        try:
            path = row["uri"].removeprefix(STAGED) if staged else to_path(row["uri"])
            yield holder.read(path, row["offset"], row["size"] or limit)
        except UnreadableError:
            continue  # the run itself names it


def _nothing_found(source: Source | StagedSource) -> str:
    others = ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in source.ignored.most_common(5))
    seen = f"; it has {sum(source.ignored.values())} other files ({others})" if others else ""
    return f"no images found in {source.root}{seen}. Check the path, or name the files with --include."
