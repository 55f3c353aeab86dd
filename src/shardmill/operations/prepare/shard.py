"""Makes one shard, start to end, in the process that may die: read, transform, write, publish, commit."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from posixpath import basename

import pyarrow as pa

from shardmill import isolation
from shardmill.errors import TooManyFailuresError, UsageError
from shardmill.formats.base import Format, Sample
from shardmill.formats.choose import make_format
from shardmill.formats.hashing import HashingFile
from shardmill.image.base import Encoded, Outcome, PixelSums, Refused, Transform
from shardmill.layout import samples_name
from shardmill.operations.prepare.fingerprint import transform_and_fingerprint
from shardmill.operations.prepare.inputs import InputRow, read_inputs
from shardmill.operations.prepare.job import ShardCall
from shardmill.operations.prepare.names import shard_name
from shardmill.operations.prepare.samples import (
    CARRIED,
    PlacedRows,
    SamplesWriter,
    ShardSummary,
    committed,
    outcome_columns,
)
from shardmill.plan.store import read_rows
from shardmill.spec import PrepareSpec
from shardmill.storage import Store, open_store
from shardmill.storage.retry import retries_so_far


class _OvertakenError(Exception):
    """Another attempt has committed the shard."""

    def __init__(self, summary: ShardSummary) -> None:
        super().__init__(summary)
        self.summary = summary


@dataclass(frozen=True, slots=True)
class MadeShard:
    """What a worker tells of a shard."""

    summary: ShardSummary
    retries: Mapping[str, int]
    """Requests to object stores that were repeated, by reason."""


def make_shard(call: ShardCall) -> MadeShard:
    """Write, publish and commit the shard, unless another attempt has.

    Raises:
        UsageError: the transform here would give other bytes than where the plan was made.
        ResumableError: reading or writing failed and retries did not help; nothing of the shard is committed.
        TooManyFailuresError: an image failed and the job is to stop at the first.
    """
    before = retries_so_far()
    summary = _make(call)
    return MadeShard(summary, dict(retries_so_far() - before))


def load_transform(spec: PrepareSpec) -> None:
    """Load in this process what `make_shard` needs for `spec`.

    Raises:
        UsageError: the transform is not installed, or cannot do what `spec` asks.
    """
    _transform_for(spec)


def _transform_for(spec: PrepareSpec) -> tuple[Transform, str]:
    return transform_and_fingerprint(spec.transform, spec.image, spec.compression, spec.shard_format)


def _make(call: ShardCall) -> ShardSummary:
    job, task = call.job, call.task
    dest = open_store(job.dest, job.storage)
    done = committed(dest, samples_name(task.number), job.plan)
    if done is not None and not job.retry:
        return done
    transform, fingerprint = _transform_for(job.spec)
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


def _sample(row: InputRow, outcome: Encoded) -> Sample:
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


def _outcomes(call: ShardCall, rows: pa.Table, transform: Transform, dest: Store) -> Iterator[tuple[InputRow, Outcome]]:
    """Every row with its outcome, in order, whether or not its image reached the transform."""
    journal = isolation.journal()
    waiting: deque[InputRow] = deque()

    def images() -> Iterator[bytes]:
        for row, data in read_inputs(call, rows, dest):
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


def _difference(theirs: str, ours: str) -> str:
    return f"{theirs[:200]} there, {ours[:200]} here"
