"""For whoever waits: small batches, and the first of them soon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from shardmill.model.analysis import ArmAnalysis
from shardmill.model.observations import Factors, Observations, factors_of
from shardmill.model.ratio import centre, ratio
from shardmill.report.finding import Finding
from shardmill.report.quantity import quantity
from shardmill.report.throughput.findings.batch import of_reads, of_size
from shardmill.report.throughput.findings.contests import (
    SMALL_BATCH,
    WORTH,
    between_formats,
    between_shard_sizes,
    promptness,
    shard_bytes,
    verdict,
)
from shardmill.report.throughput.findings.words import bounded, percent, reader, what
from shardmill.report.throughput.study import Study
from shardmill.speedtest.record import Measurement
from shardmill.units import format_bytes, format_count


@dataclass(frozen=True, slots=True)
class _Soonest:
    """The combination of small batches whose first one is there first."""

    arm: ArmAnalysis
    cell: Factors
    rows: tuple[Measurement, ...]


def streaming_findings(study: Study, arms: Sequence[ArmAnalysis], source: str) -> Iterator[Finding]:
    """Which way has the first batch soonest, what small ones cost, and what makes them come later."""
    soonest = _soonest(study, arms)
    if soonest is None:
        return
    one, cell = soonest.arm, soonest.cell
    latency, interval = centre([max(row.first_batch_s, 1e-9) for row in soonest.rows])
    yield Finding(
        "first-batch",
        "streaming",
        f"Where the first images are wanted soon, read {what(one)} in batches of {cell.batch_size} with "
        f"{format_count(cell.parallel_reads, 'parallel read')}: the first batch is there after {quantity(latency, 's')} with a "
        f"{one.arm.cache} cache.",
        latency,
        "s",
        bounded(interval),
        source,
    )
    yield from _cost_of_small_batches(one, cell, source)
    yield from _formats(study, arms, cell.batch_size, source)
    yield from _shard_sizes(study, arms, cell.batch_size, source)
    yield from _parallel_reads(study, soonest, source)
    yield from _cold(study, soonest, source)


def _soonest(study: Study, arms: Sequence[ArmAnalysis]) -> _Soonest | None:
    chosen: list[tuple[float, _Soonest]] = []
    for one in arms:
        cells: dict[Factors, list[Measurement]] = {}
        for row in study.by_arm[one.arm]:
            cells.setdefault(factors_of(row), []).append(row)
        smallest = min(cell.batch_size for cell in cells)
        for cell, rows in cells.items():
            if cell.batch_size == smallest <= SMALL_BATCH:
                chosen.append((median(row.first_batch_s for row in rows), _Soonest(one, cell, tuple(rows))))
    return min(chosen, key=lambda entry: entry[0])[1] if chosen else None


def _cost_of_small_batches(one: ArmAnalysis, cell: Factors, source: str) -> Iterator[Finding]:
    largest = max(factors.batch_size for factors in one.seen.cells)
    if largest == cell.batch_size:
        return
    small, large = of_size(one.seen, cell.batch_size), of_size(one.seen, largest)
    found = ratio(small, large)
    if found is None:
        return
    then = f"against batches of {largest}: {one.name} then gives {quantity(median(small.rate), 'images/s')}"
    if found.sure and found.value < 1:
        yield Finding(
            "small-batches-cost",
            "streaming",
            f"Batches of {cell.batch_size} cost {quantity((1 - found.value) * 100, '%')} of the throughput {then}.",
            (1 - found.value) * 100,
            "%",
            percent((1 - found.interval[1], 1 - found.interval[0])),
            source,
            ("batch size",),
        )
    else:
        yield Finding(
            "small-batches-free",
            "streaming",
            f"Batches of {cell.batch_size} cost no throughput that can be told {then}, {quantity(found.value, 'x', bare=True)} times "
            "as much.",
            found.value,
            "x",
            bounded(found.interval),
            source,
            ("batch size",),
        )


def _formats(study: Study, arms: Sequence[ArmAnalysis], size: int, source: str) -> Iterator[Finding]:
    found = between_formats(study, arms, promptness(study))
    if found is None:
        return
    best = found.best.arm.format
    for rival, gain in found.rivals:
        times, other, by = quantity(gain.value, "x", bare=True), rival.arm.format, reader(rival)
        told = f"The first batch of {size} is there {times} times as soon from {best} as from {other} by {by}."
        same = (
            f"Whether the first batch of {size} is there sooner from {best} or from {other} makes no difference that can be told by {by}: "
            f"{times} times as soon from the former."
        )
        yield verdict(
            "first-batch-format-sooner", "first-batch-format-same", "streaming", gain, (told, same), source, ("format",)
        )


def _shard_sizes(study: Study, arms: Sequence[ArmAnalysis], size: int, source: str) -> Iterator[Finding]:
    found = between_shard_sizes(study, arms, promptness(study))
    if found is None:
        return
    ours = format_bytes(shard_bytes(study, found.best) or 0)
    for rival, gain in found.rivals:
        theirs = format_bytes(shard_bytes(study, rival) or 0)
        times, read = quantity(gain.value, "x", bare=True), f"{found.best.arm.format}, {reader(rival)}"
        told = f"The first batch of {size} is there {times} times as soon from shards of {ours} as from shards of {theirs} ({read})."
        same = (
            f"The first batch of {size} is there as soon from shards of {ours} as from shards of {theirs}, as far as can be told ({read}): "
            f"{times} times as soon from the former."
        )
        yield verdict(
            "first-batch-shard-size-sooner",
            "first-batch-shard-size-same",
            "streaming",
            gain,
            (told, same),
            source,
            ("shard size",),
        )


def _parallel_reads(study: Study, soonest: _Soonest, source: str) -> Iterator[Finding]:
    """The fewest parallel reads against the level that differs most from them."""
    cell = soonest.cell
    prompt = promptness(study)(soonest.arm)
    assert prompt is not None, "there is a small batch"
    seen = prompt.only(prompt.concurrency == cell.concurrency)
    first, *rest = sorted({int(level) for level in seen.parallel_reads})
    gains = {
        level: found for level in rest if (found := ratio(of_reads(seen, level), of_reads(seen, first))) is not None
    }
    if not gains:
        return
    most = max(gains, key=lambda level: abs(np.log(gains[level].value)))
    gain = gains[most]
    few, many = format_count(first, "parallel read"), format_count(most, "parallel read")
    if gain.sure and gain.value >= 1 + WORTH:
        yield Finding(
            "first-batch-reads-sooner",
            "streaming",
            f"With {many} the first batch of {cell.batch_size} is there {quantity(gain.value, 'x', bare=True)} times as soon as with "
            f"{few} ({soonest.arm.name}).",
            gain.value,
            "x",
            bounded(gain.interval),
            source,
            ("parallel reads",),
        )
    elif gain.sure and gain.value <= 1 / (1 + WORTH):
        yield Finding(
            "first-batch-reads-later",
            "streaming",
            f"Keep to {few} where the first batch is wanted soon: with {many} that of {cell.batch_size} takes "
            f"{quantity(1 / gain.value, 'x', bare=True)} times as long ({soonest.arm.name}).",
            1 / gain.value,
            "x",
            bounded(gain.inverse.interval),
            source,
            ("parallel reads",),
        )
    else:
        yield Finding(
            "first-batch-reads-same",
            "streaming",
            f"Parallel reads make no difference that can be told to the first batch of {cell.batch_size}: with {many} it is there "
            f"{quantity(gain.value, 'x', bare=True)} times as soon as with {few} ({soonest.arm.name}).",
            gain.value,
            "x",
            bounded(gain.interval),
            source,
            ("parallel reads",),
        )


def _cold(study: Study, soonest: _Soonest, source: str) -> Iterator[Finding]:
    """From the disk or the network against from memory."""
    by_cache: dict[str, Observations] = {}
    prompt = promptness(study)
    for other in study.arms:
        if replace(other.arm, cache=soonest.arm.arm.cache) != soonest.arm.arm:
            continue
        rows = study.by_arm[other.arm]
        if other.arm.cache == "cold" and not all(row.cache_seen == "cold" for row in rows):
            continue  # nobody has seen that it was
        seen = prompt(other)
        if seen is not None and int(seen.batch_size[0]) == soonest.cell.batch_size:
            by_cache[other.arm.cache] = seen
    found = ratio(by_cache["warm"], by_cache["cold"]) if len(by_cache) == 2 else None
    if found is None:
        return
    of = f"the first batch of {soonest.cell.batch_size} of {soonest.arm.arm.format}"
    latency = 1 / float(np.median(by_cache["cold"].rate))
    times = quantity(found.value, "x", bare=True)
    told = (
        f"From a cold cache {of} takes {times} times as long as from memory, {quantity(latency, 's')}: a faster disk or network, or "
        "reading ahead, shortens the wait."
    )
    same = (
        f"From a cold cache {of} takes no longer than from memory, as far as can be told: {times} times as long, "
        f"{quantity(latency, 's')}."
    )
    yield verdict(
        "first-batch-cold-later", "first-batch-cold-same", "streaming", found, (told, same), source, ("disk",)
    )
