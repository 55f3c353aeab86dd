"""Makes one shard, start to end, in the process that may die: read, transform, write, publish, commit."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import basename
from typing import Any, Final

import pyarrow as pa

from shardmill import isolation
from shardmill.errors import TooManyFailuresError, UsageError
from shardmill.formats.base import Format, Sample
from shardmill.formats.choose import make_format
from shardmill.formats.hashing import HashingFile
from shardmill.image.base import Encoded, Outcome, PixelSums, Refused, Transform
from shardmill.layout import samples_name
from shardmill.operations.prepare.fingerprint import transform_and_fingerprint
from shardmill.operations.prepare.names import shard_name
from shardmill.operations.prepare.reading import read_listed
from shardmill.operations.prepare.samples import (
    CARRIED,
    PlacedRows,
    SamplesWriter,
    ShardSummary,
    committed,
    outcome_columns,
    renewed_sizes,
)
from shardmill.plan.cut import ShardTask
from shardmill.plan.store import read_rows
from shardmill.spec import PrepareSpec
from shardmill.storage import StorageSettings, Store, UnreadableError, open_store

_CODES: Final = {
    "not_found": "was not found",
    "permission_denied": "may not be read",
    "not_a_file": "is not a file",
}


@dataclass(frozen=True, slots=True)
class Job:
    """What all shards of a run have in common."""

    spec: PrepareSpec
    source_root: str
    dest: str
    plan: str
    """Digest of the plan."""
    fingerprint: str
    """Of the transform that the plan was made with."""
    classes: tuple[str, ...] = ()
    """Class names in label order, where the format puts them into shards."""
    staged: bool = False
    """The source's images were copied to DEST while they were listed."""
    retry: bool = False
    """Make shards that are committed once more, and take inputs that had failed as they are now."""
    fail_fast: bool = False
    item_timeout_s: float = 60.0
    memory_bytes: int = 4 << 30
    storage: StorageSettings = field(default_factory=StorageSettings)


@dataclass(frozen=True, slots=True)
class ShardCall:
    """A shard to make, and what earlier attempts have learnt."""

    job: Job
    task: ShardTask
    one_by_one: bool = False
    """Let no two images be in the transform at once, so that a crash can be blamed."""
    blamed: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """Rows that must not be decoded, with the reason's code and sentence."""


@dataclass(slots=True)
class _Row:
    number: int
    key: str
    uri: str
    label: int
    class_name: str | None
    carried: tuple[Any, ...]
    columns: dict[str, Any]
    refused: Refused | None = None


class _OvertakenError(Exception):
    """Another attempt has committed the shard."""

    def __init__(self, summary: ShardSummary) -> None:
        super().__init__(summary)
        self.summary = summary


def make_shard(call: ShardCall) -> ShardSummary:
    """Write, publish and commit the shard, unless another attempt has; returns its summary.

    Raises:
        UsageError: the transform here would give other bytes than where the plan was made.
        ResumableError: reading or writing failed and retries did not help; nothing of the shard is committed.
        TooManyFailuresError: an image failed and the job is to stop at the first.
    """
    job, task = call.job, call.task
    dest = open_store(job.dest, job.storage)
    done = committed(dest, samples_name(task.number), job.plan)
    if done is not None and not job.retry:
        return done
    transform, fingerprint = transform_and_fingerprint(job.spec.transform, job.spec.image, job.spec.compression)
    if fingerprint != job.fingerprint:
        raise UsageError(
            f"the image codecs of this worker are not those that the plan was made with ({_difference(job.fingerprint, fingerprint)}), "
            "so its bytes would differ; install the same versions on every worker"
        )
    shard_format = make_format(job.spec.shard_format, job.spec.format_options(job.classes))
    try:
        return _write(call, dest, transform, shard_format)
    except _OvertakenError as overtaken:
        return overtaken.summary


def _write(call: ShardCall, dest: Store, transform: Transform, shard_format: Format) -> ShardSummary:
    """Shard, then index, then the samples table that commits them."""
    job, task = call.job, call.task
    rows = read_rows(task, dest)
    carried = pa.schema([rows.schema.field(name) for name in rows.schema.names if name.startswith(CARRIED)])
    bare = pa.schema([column.with_name(column.name.removeprefix(CARRIED)) for column in carried])
    name = shard_name(job.spec, task, shard_format.suffix)
    with dest.publish(samples_name(task.number)) as table:
        samples = SamplesWriter(table, bare)
        tally = _Tally()
        with dest.publish(name) as file:
            hashing = HashingFile(file)
            writer = shard_format.writer(hashing)  # type: ignore[arg-type]  # writes and nothing else
            placed = PlacedRows(samples, writer)
            for row, outcome in _outcomes(call, rows, transform, dest):
                columns = row.columns | outcome_columns(outcome)
                if isinstance(outcome, Encoded):
                    writer.add(_sample(row, outcome))
                    tally.written(outcome)
                else:
                    if job.fail_fast and outcome.status == "failed":
                        raise TooManyFailuresError(
                            f"{row.key}: {outcome.detail}. Mend or remove it, or run without --on-error fail."
                        )
                    tally.refused(outcome)
                placed.add(columns, row.carried, written=isinstance(outcome, Encoded))
            index = writer.finish()
            placed.flush()
            done = committed(dest, samples_name(task.number), job.plan)
            if done is not None and not job.retry:  # another attempt was quicker: what it published stands
                raise _OvertakenError(done)
        if shard_format.index_suffix:
            with dest.publish(name + shard_format.index_suffix) as file:
                file.write(index)
        summary = ShardSummary(
            number=task.number,
            name=name,
            split=task.split,
            plan=job.plan,
            listed=task.rows,
            count=tally.count,
            skipped=tally.skipped,
            failed=tally.failed,
            bytes=hashing.bytes,
            sha256=hashing.digest.hexdigest(),
            index_bytes=len(index),
            index_sha256=hashlib.sha256(index).hexdigest(),
            pixels=tally.pixels,
            channel_totals=tally.totals,
            channel_squares=tally.squares,
        )
        samples.finish(summary)
    return summary


class _Tally:
    def __init__(self) -> None:
        self.count = self.skipped = self.failed = self.pixels = 0
        self.totals = self.squares = (0, 0, 0)

    def written(self, outcome: Encoded) -> None:
        sums: PixelSums = outcome.sums
        self.pixels += sums.count
        self.totals = _add(self.totals, sums.total)
        self.squares = _add(self.squares, sums.total_of_squares)
        self.count += 1

    def refused(self, outcome: Refused) -> None:
        if outcome.status == "failed":
            self.failed += 1
        else:
            self.skipped += 1


def _add(a: tuple[int, int, int], b: tuple[int, int, int]) -> tuple[int, int, int]:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _sample(row: _Row, outcome: Encoded) -> Sample:
    return Sample(
        key=row.key,
        image=outcome.jpeg,
        label=row.label,
        text=row.class_name or "",
        width=outcome.width,
        height=outcome.height,
        filename=basename(row.key),
        exif=outcome.exif,
    )


def _outcomes(call: ShardCall, rows: pa.Table, transform: Transform, dest: Store) -> Iterator[tuple[_Row, Outcome]]:
    """Every row with its outcome, in order, whether or not its image reached the transform."""
    journal = isolation.journal()
    waiting: deque[_Row] = deque()

    def images() -> Iterator[bytes]:
        for row, data in _read(call, rows, dest):
            waiting.append(row)
            if data is not None:
                journal.take(row.number)
                yield data
                journal.pause()

    def transformed() -> Iterator[Outcome]:
        if not call.one_by_one:
            return transform.run(images())
        return (next(transform.run([data])) for data in images())

    for outcome in transformed():
        while (row := waiting.popleft()).refused is not None:
            yield row, row.refused
        journal.finish(row.number)
        yield row, outcome
    for row in waiting:
        assert row.refused is not None, "the transform gave fewer outcomes than images"
        yield row, row.refused


def _read(call: ShardCall, rows: pa.Table, dest: Store) -> Iterator[tuple[_Row, bytes | None]]:
    """Each row with the bytes of its image, or with None and `refused` set."""
    source = open_store(call.job.source_root, call.job.storage)
    renewed = renewed_sizes(dest, samples_name(call.task.number)) if call.job.retry else {}
    carried = [name for name in rows.schema.names if name.startswith(CARRIED)]
    limit = call.job.spec.max_source_bytes
    number = 0
    for batch in rows.to_batches(max_chunksize=1024):
        fixed = [
            batch.column(name).to_pylist()
            for name in ("key", "uri", "split", "label", "class", "offset", "size", "duplicate_of")
        ]
        extra = (
            list(zip(*(batch.column(name).to_pylist() for name in carried), strict=True))
            if carried
            else [()] * len(batch)
        )
        for (key, uri, split, label, class_name, offset, size, duplicate_of), values in zip(
            zip(*fixed, strict=True), extra, strict=True
        ):
            columns = {
                "key": key,
                "uri": uri,
                "split": split,
                "label": label,
                "class": class_name,
                "source_bytes": size,
            }
            row = _Row(number, key, uri, label, class_name, values, columns)
            number += 1
            if offset is None:
                size = renewed.get(key, size)
            data: bytes | None = None
            if duplicate_of is not None:
                row.refused = Refused("skipped", "duplicate", f"has the same bytes as {duplicate_of}")
            elif size is not None and size > limit:
                row.refused = _too_large(limit)
            else:
                data = _read_one(row, call.job.staged, source, dest, offset, size, limit)
            if data is not None and row.number in call.blamed:
                row.refused, data = Refused("failed", *call.blamed[row.number]), None
            yield row, data


def _read_one(
    row: _Row, staged: bool, source: Store, dest: Store, offset: int | None, size: int | None, limit: int
) -> bytes | None:
    """The image's bytes; None, and `row.refused` set, where they are not to be had."""
    try:
        data = read_listed(row.uri, offset, size, source, dest if staged else None, limit)
    except UnreadableError as error:
        row.refused = Refused("failed", error.reason, _CODES.get(error.reason, error.reason.replace("_", " ")))
        return None
    if len(data) > limit:
        row.refused = _too_large(limit)
        return None
    row.columns["source_bytes"] = len(data)
    row.columns["sha256"] = hashlib.sha256(data).hexdigest()
    if size is not None and len(data) != size:
        row.refused = Refused("failed", "changed", f"changed since it was listed: {size} bytes then, {len(data)} now")
        return None
    return data


def _too_large(limit: int) -> Refused:
    return Refused("failed", "too_many_bytes", f"holds more than {limit} bytes (--max-source-bytes)")


def _difference(theirs: str, ours: str) -> str:
    return f"{theirs[:200]} there, {ours[:200]} here"
