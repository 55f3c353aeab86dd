"""For batch jobs: what to read, and how, so that as many images a second come as there can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from shardmill.model.analysis import ArmAnalysis, medians
from shardmill.model.observations import Observations
from shardmill.model.ratio import Ratio, ratio
from shardmill.report.finding import Finding
from shardmill.report.quantity import quantity
from shardmill.report.throughput.findings.contests import (
    WORTH,
    between_formats,
    between_shard_sizes,
    shard_bytes,
    throughput,
    verdict,
)
from shardmill.report.throughput.findings.words import bounded, percent, reader, what, window
from shardmill.report.throughput.models import fastest
from shardmill.report.throughput.study import Study
from shardmill.units import format_bytes, format_count

_ENOUGH: Final = 0.95
"""Share of the best from which less is as good."""


def batch_findings(study: Study, arms: Sequence[ArmAnalysis], source: str) -> Iterator[Finding]:
    """The combination to use, and for each thing to choose what it gains."""
    best = fastest(arms)
    cell, rate = best.roofline.cell, best.roofline.rate
    combinations = sum(len(one.seen.cells) for one in arms)
    others = f", {cell.concurrency} readers at once" if cell.concurrency > 1 else ""
    among = f"the fastest of {combinations:,} combinations" if combinations > 1 else "the only combination measured"
    yield Finding(
        "fastest-combination",
        "batch",
        f"Read {what(best)} in batches of {cell.batch_size} with {format_count(cell.parallel_reads, 'parallel read')}{others}: "
        f"{quantity(round(rate.value), 'images/s')} with a {best.arm.cache} cache, {among}.",
        round(rate.value),
        "images/s",
        bounded(rate.interval),
        source,
    )
    yield from _formats(study, arms, source)
    yield from _against_files(study, arms, source)
    yield from _shard_sizes(study, arms, source)
    yield from _batch_sizes(best, source)
    yield from _parallel_reads(best, source)
    yield from _strongest(best, source)


def _strongest(best: ArmAnalysis, source: str) -> Iterator[Finding]:
    found = best.importance
    if found is not None and found.strongest is not None:
        top = found.strongest
        tie = "; another may matter as much" if found.tied else ""
        yield Finding(
            "strongest-factor",
            "batch",
            f"What matters most for {best.name} is {top.name}: it explains {top.share:.0%} of the variance of throughput{tie}.",
            top.share * 100,
            "%",
            percent(top.interval),
            source,
        )


def _formats(study: Study, arms: Sequence[ArmAnalysis], source: str) -> Iterator[Finding]:
    found = between_formats(study, arms, throughput)
    if found is None:
        return
    best = found.best.arm.format
    for rival, gain in found.rivals:
        times, other, by = quantity(gain.value, "x", bare=True), rival.arm.format, reader(rival)
        told = f"Of the formats, {best} is read {times} times as fast as {other} by {by}, of the same images."
        same = f"Between {best} and {other} no difference in speed that matters can be told by {by}: {best} is read {times} times as fast."
        yield verdict("format-faster", "format-same", "batch", gain, (told, same), source, ("format",))


def _against_files(study: Study, arms: Sequence[ArmAnalysis], source: str) -> Iterator[Finding]:
    """Shards over files: for each format, with the reader that is fastest, against the files' fastest."""
    files = [one for one in arms if one.arm.source == "files"]
    said: set[str] = set()
    for one in sorted((one for one in arms if one.arm.source == "shards"), key=lambda one: -one.roofline.rate.value):
        if one.arm.format in said:
            continue
        pairs = [(below, found) for above, below, found in study.analysis.ratios if above is one and below in files]
        if not pairs:
            continue
        said.add(one.arm.format)
        below, found = max(pairs, key=lambda pair: (pair[0].arm.reader == one.arm.reader, pair[0].roofline.rate.value))
        yield _over_files(one, below, found, source)


def _over_files(one: ArmAnalysis, below: ArmAnalysis, found: Ratio, source: str) -> Finding:
    times = quantity(found.value, "x", bare=True)
    against = "" if one.arm.reader == below.arm.reader else f" (these by {reader(below)})"
    low, high = found.smallest, found.largest
    span = (
        f", from {quantity(low[1], 'x', bare=True)} at {window(low[0])} to {quantity(high[1], 'x', bare=True)} at {window(high[0])}"
        if len(found.cells) > 1
        else ""
    )
    interval = bounded(found.interval)
    if not found.sure:
        return Finding(
            "shards-and-files-same",
            "batch",
            f"Between shards as {one.arm.format} and the source files no difference in speed can be told by {reader(one)}{against}: "
            f"the shards are read {times} times as fast{span}.",
            found.value,
            "x",
            interval,
            source,
            ("format",),
        )
    slower = "" if found.value >= 1 else ", which is slower"
    return Finding(
        "shards-faster" if found.value >= 1 else "shards-slower",
        "batch",
        f"Shards as {one.arm.format} are read {times} times as fast as the source files by {reader(one)}{against}{slower}{span}.",
        found.value,
        "x",
        interval,
        source,
        ("format",),
    )


def _shard_sizes(study: Study, arms: Sequence[ArmAnalysis], source: str) -> Iterator[Finding]:
    found = between_shard_sizes(study, arms, throughput)
    if found is None:
        return
    ours = format_bytes(shard_bytes(study, found.best) or 0)
    for rival, gain in found.rivals:
        theirs = format_bytes(shard_bytes(study, rival) or 0)
        times, read = quantity(gain.value, "x", bare=True), f"{found.best.arm.format}, {reader(rival)}"
        told = f"Shards of {ours} are read {times} times as fast as shards of {theirs} ({read})."
        same = (
            f"Between shards of {ours} and of {theirs} no difference in speed that matters can be told ({read}): the former are read "
            f"{times} times as fast."
        )
        yield verdict("shard-size-faster", "shard-size-same", "batch", gain, (told, same), source, ("shard size",))


def _batch_sizes(best: ArmAnalysis, source: str) -> Iterator[Finding]:
    """From which batch size on nothing is lost, parallel reads and readers as in the fastest combination."""
    cell = best.roofline.cell
    alike = (best.seen.parallel_reads == cell.parallel_reads) & (best.seen.concurrency == cell.concurrency)
    seen = best.seen.only(alike & (best.seen.num_batches == cell.num_batches))
    rates = {factors.batch_size: rate for factors, rate in medians(seen).items()}
    if len(rates) < 2:
        return
    top = max(rates, key=lambda size: rates[size])
    enough = min(size for size in rates if rates[size] >= _ENOUGH * rates[top])
    other = enough if enough != top else max((size for size in rates if size < top), default=min(set(rates) - {top}))
    found = ratio(of_size(seen, enough), of_size(seen, top if enough != top else other))
    if found is None:
        return
    value, interval = found.value, found.interval
    if enough != top:
        larger = f"batches of {top}" + (", the fastest" if top != max(rates) or len(rates) > 2 else "")
        yield Finding(
            "batch-size-enough",
            "batch",
            f"Batches of {enough} give {value:.0%} of the throughput of {larger}, which cost more memory and gain next to nothing.",
            value * 100,
            "%",
            percent(interval),
            source,
            ("batch size",),
        )
    elif not found.sure:
        yield Finding(
            "batch-size-same",
            "batch",
            f"Between batches of {other} and of {top} no difference can be told: the latter give {quantity(value, 'x', bare=True)} times "
            "the throughput in these passes.",
            value,
            "x",
            bounded(interval),
            source,
            ("batch size",),
        )
    elif top == max(rates):
        yield Finding(
            "batch-size-largest",
            "batch",
            f"Batches of {top}, the largest measured, are the fastest: {quantity(value, 'x', bare=True)} times the throughput of "
            f"batches of {other}. Larger ones may gain more.",
            value,
            "x",
            bounded(interval),
            source,
            ("batch size",),
        )
    else:
        less = "smaller" if other < top else "larger"
        yield Finding(
            "batch-size-best",
            "batch",
            f"Batches of {top} are the fastest: {quantity(value, 'x', bare=True)} times the throughput of the {less} ones of {other}"
            f"{', and larger ones gain nothing' if less == 'smaller' else ''}.",
            value,
            "x",
            bounded(interval),
            source,
            ("batch size",),
        )


def _parallel_reads(best: ArmAnalysis, source: str) -> Iterator[Finding]:
    """The fewest parallel reads that are as good as the best."""
    crowd = best.roofline.cell.concurrency
    seen = best.seen.only(best.seen.concurrency == crowd)
    by_level = {int(level): of_reads(seen, int(level)) for level in sorted(set(seen.parallel_reads))}
    if len(by_level) < 2:
        return
    at_once = f" with {crowd} readers at once" if crowd > 1 else ""
    first, *rest = by_level
    gains: dict[int, Ratio] = {}
    for level in rest:
        found = ratio(by_level[level], by_level[first])
        if found is not None:
            gains[level] = found
    if not gains:
        return
    top = max(gains, key=lambda level: gains[level].value)
    if not gains[top].sure or gains[top].value < 1 + WORTH:
        yield Finding(
            "parallel-reads-gain-nothing",
            "batch",
            f"More than {format_count(first, 'parallel read')} gains nothing that can be told for {best.name}{at_once}: {top} give "
            f"{quantity(gains[top].value, 'x', bare=True)} times the throughput of {first}.",
            gains[top].value,
            "x",
            bounded(gains[top].interval),
            source,
            ("parallel reads",),
        )
        return
    enough = next(level for level in rest if level in gains and gains[level].value >= _ENOUGH * gains[top].value)
    more = f"; {top} give {quantity(gains[top].value, 'x', bare=True)} times" if top != enough else ""
    yield Finding(
        "parallel-reads-gain",
        "batch",
        f"Use {enough} parallel reads for {best.name}{at_once}: {quantity(gains[enough].value, 'x', bare=True)} times the throughput of "
        f"{first}{more}.",
        gains[enough].value,
        "x",
        bounded(gains[enough].interval),
        source,
        ("parallel reads",),
    )


def of_reads(seen: Observations, level: int) -> Observations:
    """The rows of one level of parallel reads, as if that factor were not there."""
    rows = seen.only(seen.parallel_reads == level)
    return replace(rows, cells=tuple(replace(cell, parallel_reads=1) for cell in rows.cells))


def of_size(seen: Observations, size: int) -> Observations:
    """The rows of one batch size, as if that factor were not there."""
    rows = seen.only(seen.batch_size == size)
    return replace(rows, cells=tuple(replace(cell, batch_size=1) for cell in rows.cells))
