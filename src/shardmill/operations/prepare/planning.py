"""Takes the plan: list, decide splits and labels, number repeats, find duplicates if asked, order, cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from shardmill import isolation
from shardmill.engines.base import Engine
from shardmill.errors import UsageError
from shardmill.operations.prepare.duplicates import without_duplicates
from shardmill.operations.prepare.estimate import RecordSize, Sample, expected_record
from shardmill.operations.prepare.staging import list_batches
from shardmill.plan import store as plan_store
from shardmill.plan.cut import cut, shard_rows, shards_per_split
from shardmill.plan.listing import (
    Census,
    annotate,
    class_names,
    in_final_order,
    number_repeats,
    split_counts,
    without_repeats,
)
from shardmill.plan.store import Plan
from shardmill.sources.base import Source, StagedSource
from shardmill.sources.names import to_path
from shardmill.spec import PrepareSpec, parse_splits
from shardmill.storage import StorageSettings, Store, open_store, scheme_of


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
    record: RecordSize


def draft_plan(
    source: Source | StagedSource,
    spec: PrepareSpec,
    scratch: Path,
    child: isolation.Child,
    limits: isolation.Limits,
    tick: Callable[[int], None],
    storage: StorageSettings,
) -> Draft:
    """List everything, write nothing.

    Raises:
        UsageError: no images, or labels, splits or shards that do not fit the request.
    """
    census, rows = _list_inputs(source, spec, scratch, None, tick, storage)
    counts = census.splits
    if spec.limit is not None:
        counts, _ = _limited(in_final_order(rows, spec, scratch), spec.limit, scratch)
    else:
        for _ in rows:  # numbers the repeats, which is all that is still to be known
            pass
    record = _expected(census, source, spec, child, limits, None, storage)
    return Draft(
        listed=dict(sorted(counts.items())),
        shards=shards_per_split(spec.sharding, counts, record.bytes),
        classes=_classes(source, census, spec),
        unlabelled=census.unlabelled,
        repeats=census.repeats,
        ignored=dict(source.ignored),
        source_bytes=census.known_bytes if census.rows_with_size else None,
        record=record,
    )


def take_plan(
    source: Source | StagedSource,
    source_name: str,
    spec: PrepareSpec,
    fingerprint: str,
    scratch: Path,
    dest: Store,
    engine: Engine,
    child: isolation.Child,
    limits: isolation.Limits,
    tick: Callable[[int], None],
    storage: StorageSettings,
) -> Plan:
    """List everything, and write the whole plan to `dest`.

    Args:
        source_name: what the user calls the source.
        fingerprint: of the transform.
        engine: reads all images for `drop_duplicates`.

    Raises:
        UsageError: as `draft_plan`.
    """
    census, rows = _list_inputs(source, spec, scratch, dest, tick, storage)
    counts = census.splits
    if spec.limit is not None:  # before duplicates are marked, so that one of each is within the limit
        counts, rows = _limited(in_final_order(rows, spec, scratch), spec.limit, scratch)
    if spec.drop_duplicates:
        rows = without_duplicates(rows, source, dest, engine, scratch, spec.max_source_bytes, storage)
    ordered = in_final_order(rows, spec, scratch)
    classes = _classes(source, census, spec)
    record = _expected(census, source, spec, child, limits, dest, storage)
    tasks = cut(ordered, dest, counts, shards_per_split(spec.sharding, counts, record.bytes), classes)
    plan = Plan(
        spec=spec.to_json(),
        source=source_name,
        source_root=source.root,
        fingerprint=fingerprint,
        rows_sha256=plan_store.rows_digest(tasks, dest),
        classes=classes,
        listed=dict(sorted(counts.items())),
        ignored=dict(source.ignored),
        repeats=census.repeats,
        tasks=tuple(tasks),
    )
    plan_store.save(plan, dest)
    return plan


def largest_shard(draft: Draft) -> int:
    """Inputs of the largest shard."""
    return max(shard_rows(count, draft.shards[split])[0] for split, count in draft.listed.items())


def _list_inputs(
    source: Source | StagedSource,
    spec: PrepareSpec,
    scratch: Path,
    dest: Store | None,
    tick: Callable[[int], None],
    storage: StorageSettings,
) -> tuple[Census, Iterator[pa.RecordBatch]]:
    """The census, complete but for the repeats, which are counted while the rows are read."""
    census = Census()
    rows = _spool(annotate(list_batches(source, dest), spec, census, tick), scratch / "listing.arrows")
    if census.rows == 0:
        raise UsageError(_nothing_found(source))
    if spec.splits != parse_splits(None) and census.split_by_source == census.rows:
        names = ", ".join(sorted(census.splits))
        raise UsageError(f"the source already says the split of each input ({names}); leave --splits out.")
    _check_reach(census, source, storage)
    if source.unique_keys:
        return census, map(without_repeats, rows)
    return census, number_repeats(rows, scratch, census)


def _check_reach(census: Census, source: Source | StagedSource, storage: StorageSettings) -> None:
    """A list whose locations lead nowhere is a mistake of the request, not a thousand failures."""
    if isinstance(source, StagedSource) or source.unique_keys:
        return
    store = open_store(source.root, storage)
    uris = pa.Table.from_batches(census.sample)["uri"].to_pylist()
    paths = [to_path(uri) for uri in uris if uri and not scheme_of(uri)]
    if paths and all(store.size(path) is None for path in paths):
        raise UsageError(
            f"none of {len(paths)} sampled images is there: {paths[0]} is not in {source.root}. Say where relative locations begin "
            "with --image-root, or which column holds them with --image-col."
        )


def _classes(source: Source | StagedSource, census: Census, spec: PrepareSpec) -> tuple[str, ...]:
    if source.class_names and spec.labels is None:
        return source.class_names
    return class_names(census, spec, numeric=source.numeric_labels)


def _expected(
    census: Census,
    source: Source | StagedSource,
    spec: PrepareSpec,
    child: isolation.Child,
    limits: isolation.Limits,
    dest: Store | None,
    storage: StorageSettings,
) -> RecordSize:
    rows = tuple(pa.Table.from_batches(census.sample).select(["uri", "offset", "size"]).to_pylist())
    staged_in = dest.root if dest is not None and isinstance(source, StagedSource) else None
    return expected_record(Sample(rows, spec, source.root, staged_in, storage), child, limits)


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


def _limited(
    ordered: Iterable[pa.RecordBatch], limit: int, scratch: Path
) -> tuple[Counter[str], Iterator[pa.RecordBatch]]:
    """Rows of each split among the first `limit` rows, and these rows."""
    counts: Counter[str] = Counter()

    def first() -> Iterator[pa.RecordBatch]:
        left = limit
        for batch in ordered:
            kept = batch.slice(0, left)
            counts.update(split_counts(kept))
            yield kept
            left -= kept.num_rows
            if left == 0:
                return

    return counts, _spool(first(), scratch / "limited.arrows")


def _nothing_found(source: Source | StagedSource) -> str:
    if not source.unique_keys:
        return f"the list in {source.root} has no rows; check that it is the file you mean."
    others = ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in source.ignored.most_common(5))
    seen = f"; it has {sum(source.ignored.values())} other files ({others})" if others else ""
    return f"no images found in {source.root}{seen}. Check the path, or name the files with --include."
