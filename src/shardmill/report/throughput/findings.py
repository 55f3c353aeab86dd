"""What to do, each sentence computed from the rows: for batch jobs, for streaming, about hardware, and how far to trust it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from shardmill.model.analysis import ArmAnalysis, medians
from shardmill.model.observations import Factors, Observations, factors_of
from shardmill.model.predictors import PER_IMAGE_CROWDED
from shardmill.model.ratio import Ratio, centre, ratio
from shardmill.report.finding import Finding, Use
from shardmill.report.quantity import quantity
from shardmill.report.throughput.models import fastest
from shardmill.report.throughput.study import Study
from shardmill.speedtest.record import Measurement
from shardmill.units import format_count

_ENOUGH: Final = 0.95
"""Share of the best from which a smaller batch is as good."""
_SMALL_BATCH: Final = 8
_WORTH: Final = 0.03
_DRIFT: Final = 0.05
_LONG_ENOUGH_S: Final = 0.5


def findings(study: Study, source: str) -> list[Finding]:
    """Everything that these rows advise.

    Args:
        study: The rows and their analysis.
        source: Id of the section that shows them.
    """
    decoded = [one for one in study.arms if one.arm.decode] or list(study.arms)
    if not decoded:
        return []
    return [
        *_batch(study, decoded, source),
        *_streaming(study, decoded, source),
        *_hardware(study, decoded, source),
        *_trust(study, source),
    ]


def _batch(study: Study, arms: Sequence[ArmAnalysis], source: str) -> Iterator[Finding]:
    best = fastest(arms)
    cell, rate = best.roofline.cell, best.roofline.rate
    combinations = sum(len(one.seen.cells) for one in arms)
    others = f", {cell.concurrency} readers at once" if cell.concurrency > 1 else ""
    yield Finding(
        "batch",
        f"Read {_what(best)} in batches of {cell.batch_size} with {format_count(cell.parallel_reads, 'parallel read')}{others}: "
        f"{quantity(round(rate.value), 'images/s')} with a {best.arm.cache} cache, the fastest of {combinations:,} combinations.",
        round(rate.value),
        "images/s",
        _bounded(rate.interval),
        source,
    )
    yield from _smallest_batch(best, source)
    yield from _speed_ups(study, arms, source)
    yield from _levels(study, best, source)
    found = best.importance
    if found is not None and found.strongest is not None:
        top = found.strongest
        tie = "; another may matter as much" if found.tied else ""
        yield Finding(
            "batch",
            f"What matters most for {best.name} is {top.name}: it explains {top.share:.0%} of the variance of throughput{tie}.",
            top.share * 100,
            "%",
            (top.interval[0] * 100, top.interval[1] * 100),
            source,
        )


def _smallest_batch(best: ArmAnalysis, source: str) -> Iterator[Finding]:
    """From which batch size on nothing is lost, the other factors as in the fastest combination."""
    cell = best.roofline.cell
    rates = {
        factors.batch_size: rate
        for factors, rate in medians(best.seen).items()
        if (factors.num_batches, factors.parallel_reads, factors.concurrency)
        == (cell.num_batches, cell.parallel_reads, cell.concurrency)
    }
    enough = [size for size in sorted(rates) if rates[size] >= _ENOUGH * max(rates.values())]
    if len(rates) < 2 or enough[0] == max(rates):
        return
    share = rates[enough[0]] / max(rates.values())
    words = (
        "are as fast as larger ones, which cost memory"
        if share > 0.995
        else f"already give {share:.0%} of the fastest; larger ones cost memory and gain next to nothing"
    )
    yield Finding(
        "batch",
        f"Batches of {enough[0]} {words}.",
        enough[0],
        "images",
        None,
        source,
    )


def _speed_ups(study: Study, arms: Sequence[ArmAnalysis], source: str) -> Iterator[Finding]:
    """Shards over files: for each format, with the reader that is fastest, against the files' fastest."""
    files = [one for one in arms if one.arm.source == "files"]
    if not files:
        return
    said: set[str] = set()
    for one in sorted((one for one in arms if one.arm.source == "shards"), key=lambda one: -one.roofline.rate.value):
        if one.arm.format in said:
            continue
        pairs = [(below, found) for above, below, found in study.analysis.ratios if above is one and below in files]
        if not pairs:
            continue
        said.add(one.arm.format)
        below, found = max(pairs, key=lambda pair: (pair[0].arm.reader == one.arm.reader, pair[0].roofline.rate.value))
        low, high = found.smallest, found.largest
        span = (
            f", from {quantity(low[1], 'x', bare=True)} at {_cell(low[0])} to {quantity(high[1], 'x', bare=True)} at {_cell(high[0])}"
            if len(found.cells) > 1
            else ""
        )
        slower = "" if found.value >= 1 else " (they are slower)"
        yield Finding(
            "batch",
            f"Shards as {one.arm.format} are read {quantity(found.value, 'x', bare=True)} times as fast as the source files by "
            f"{_reader(one)}{_against(one, below)}{slower}{span}.",
            found.value,
            "x",
            _bounded(found.interval),
            source,
        )


def _levels(study: Study, best: ArmAnalysis, source: str) -> Iterator[Finding]:
    """The fewest parallel reads that are as good as the best."""
    crowd = best.roofline.cell.concurrency
    seen = best.seen.only(best.seen.concurrency == crowd)
    by_level = {int(level): _at(seen, int(level)) for level in sorted(set(seen.parallel_reads))}
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
    if not gains[top].sure or gains[top].value < 1 + _WORTH:
        yield Finding(
            "batch",
            f"More than {format_count(first, 'parallel read')} gains nothing that can be told for {best.name}{at_once}: {top} give "
            f"{quantity(gains[top].value, 'x', bare=True)} times the throughput of {first}.",
            gains[top].value,
            "x",
            _bounded(gains[top].interval),
            source,
        )
        return
    enough = next(level for level in rest if level in gains and gains[level].value >= _ENOUGH * gains[top].value)
    more = f"; {top} give {quantity(gains[top].value, 'x', bare=True)} times" if top != enough else ""
    yield Finding(
        "batch",
        f"Use {enough} parallel reads for {best.name}{at_once}: {quantity(gains[enough].value, 'x', bare=True)} times the throughput of "
        f"{first}{more}.",
        gains[enough].value,
        "x",
        _bounded(gains[enough].interval),
        source,
    )


def _streaming(study: Study, arms: Sequence[ArmAnalysis], source: str) -> Iterator[Finding]:
    """Small batches: which way has the first one soonest, and what they cost."""
    chosen: list[tuple[float, ArmAnalysis, Factors, list[Measurement]]] = []
    for one in arms:
        cells: dict[Factors, list[Measurement]] = {}
        for row in study.by_arm[one.arm]:
            cells.setdefault(factors_of(row), []).append(row)
        smallest = min(cell.batch_size for cell in cells)
        for cell, rows in cells.items():
            if cell.batch_size == smallest <= _SMALL_BATCH:
                chosen.append((median(row.first_batch_s for row in rows), one, cell, rows))
    if not chosen:
        return
    _, one, cell, rows = min(chosen, key=lambda entry: entry[0])
    latency, interval = centre([max(row.first_batch_s, 1e-9) for row in rows])
    reads = format_count(cell.parallel_reads, "parallel read")
    yield Finding(
        "streaming",
        f"Where the first images are wanted soon, read {_what(one)} in batches of {cell.batch_size} with {reads}: the first batch "
        f"is there after {quantity(latency, 's')} with a {one.arm.cache} cache.",
        latency,
        "s",
        _bounded(interval),
        source,
    )
    largest = max(factors.batch_size for factors in one.seen.cells)
    small, large = _sized(one.seen, cell.batch_size), _sized(one.seen, largest)
    found = ratio(small, large) if largest > cell.batch_size else None
    if found is not None:
        cost = (
            f"cost {quantity((1 - found.value) * 100, '%')} of the throughput"
            if found.sure and found.value < 1
            else "cost no throughput that can be told"
        )
        yield Finding(
            "streaming",
            f"Batches of {cell.batch_size} {cost} against batches of {largest}: {one.name} then gives "
            f"{quantity(median(small.rate), 'images/s')}.",
            found.value,
            "x",
            _bounded(found.interval),
            source,
        )


def _hardware(study: Study, arms: Sequence[ArmAnalysis], source: str) -> Iterator[Finding]:
    best = fastest(arms)
    roof = best.roofline
    cores = format_count(study.cores, "core")
    rate = quantity(round(roof.rate.value), "images/s")
    could = quantity(round(roof.processor.value), "images/s")
    if roof.limit == "processor":
        sentence = (
            f"The processor limits {best.name}: {cores} were {roof.busy:.0%} busy at {rate}, of at most {could}. Add cores or faster "
            f"ones; a faster disk or network would gain at most {max(0.0, roof.processor.value / roof.rate.value - 1):.0%}."
        )
    elif roof.limit == "reading" and roof.reading is not None:
        sentence = (
            f"Reading limits {best.name}: {rate} is {roof.rate.value / roof.reading.value:.0%} of what this disk or link delivers. A "
            f"faster one helps up to {could}, where the processor is full; more cores do not."
        )
    else:
        sentence = (
            f"No hardware is full at {rate} of {best.name}: {cores} were {roof.busy:.0%} busy, enough for {could}. Try more parallel "
            "reads or concurrent readers before paying for any."
        )
    yield Finding("hardware", sentence, roof.busy * 100, "%", None, source)
    if roof.reading is not None and roof.read_mb_per_s is not None:
        share = roof.reading.value / roof.processor.value
        then = "the processor is full first" if share > 1 else "it is full before the processor is"
        least = "at least " if roof.reading_is_least else ""
        yield Finding(
            "hardware",
            f"This disk or link delivers {least}{quantity(roof.read_mb_per_s, 'MB/s')} to a cold cache, {quantity(share, 'x', bare=True)} "
            f"times what the processor can decode of {best.name}: {then}.",
            share,
            "x",
            None,
            source,
        )
    else:
        cold = sum(row.cache_seen == "cold" for row in study.rows)
        yield Finding(
            "hardware",
            f"How fast the disk or network is, these runs do not say: {cold or 'no'} pass{'es' if cold > 1 else ''} of {best.arm.dataset} "
            "was seen to be cold. Measure with a cold cache before buying either.",
            cold,
            "cold passes",
            None,
            source,
        )
    files = [one for one in arms if one.arm.source == "files"]
    if files and best.arm.source == "shards":
        other = min(files, key=lambda one: one.roofline.cpu_per_image.value)
        saved = other.roofline.cpu_per_image.value / roof.cpu_per_image.value
        yield Finding(
            "hardware",
            f"An image costs {quantity(other.roofline.cpu_per_image.value, 's')} of CPU from the source files and "
            f"{quantity(roof.cpu_per_image.value, 's')} from {best.name}: the same cores feed {quantity(saved, 'x', bare=True)} times "
            "as many images.",
            saved,
            "x",
            None,
            source,
        )
    yield from _crowding(best, source)


def _crowding(best: ArmAnalysis, source: str) -> Iterator[Finding]:
    fit = best.physical.fit
    if PER_IMAGE_CROWDED in fit and fit[PER_IMAGE_CROWDED].sure:
        added = fit[PER_IMAGE_CROWDED]
        yield Finding(
            "hardware",
            f"Readers of {best.name} that run at the same time slow each other: each further one adds "
            f"{quantity(added.value, 's')} to every image of the others.",
            added.value,
            "s",
            _bounded(added.interval),
            source,
        )


def _trust(study: Study, source: str) -> Iterator[Finding]:
    analysis = study.analysis
    if analysis.not_as_asked:
        asked = analysis.rows + analysis.not_as_asked
        yield Finding(
            "trust",
            f"{format_count(analysis.not_as_asked, 'pass')} of {asked:,} had a cache that was not in the state asked for, by the bytes "
            "really read, and are left out of everything here.",
            analysis.not_as_asked,
            "left out",
            None,
            source,
        )
    spreads = [one.spread for one in study.arms if math.isfinite(one.spread)]
    if spreads:
        widest = max(
            (one for one in study.arms if one.widest is not None), key=lambda one: one.widest[1] if one.widest else 0
        )
        assert widest.widest is not None, "filtered above"
        yield _finding(
            "trust",
            f"Repetitions of a combination scatter by {quantity(median(spreads) * 100, '%')} (interquartile range, median over all); the "
            f"widest, {widest.name} at {_cell(widest.widest[0])}, by {quantity(widest.widest[1] * 100, '%')}.",
            median(spreads) * 100,
            source,
        )
    repetitions = min(one.repetitions for one in study.arms)
    if repetitions < 3:
        yield Finding(
            "trust",
            f"Some combinations were measured {repetitions:.1f} times on average: intervals are wide, and a second look at the best few "
            "is worth its time.",
            repetitions,
            "passes each",
            None,
            source,
        )
    moving = [one for one in study.arms if one.drift.p < 0.01 and abs(one.drift.share) > _DRIFT]
    for one in moving[:1]:
        way = "slower" if one.drift.share < 0 else "faster"
        yield _finding(
            "trust",
            f"The machine became {quantity(abs(one.drift.share) * 100, '%')} {way} for {one.name} while the test ran: something else was "
            "at work. The order was random, so comparisons hold; absolute rates less so.",
            one.drift.share * 100,
            source,
        )
    yield from _models(study, source)
    short = sum(row.elapsed_s < _LONG_ENOUGH_S for rows in study.by_arm.values() for row in rows)
    if short:
        yield Finding(
            "trust",
            f"{format_count(short, 'pass')} of {analysis.rows:,} lasted less than half a second, where the clock and the scheduler weigh more.",
            short,
            "short",
            None,
            source,
        )


def _models(study: Study, source: str) -> Iterator[Finding]:
    compared = [one for one in study.arms if one.comparison is not None]
    for one in compared:
        if one.importance is not None and one.importance.strongest is None:
            yield _finding(
                "trust",
                f"Nothing to find for {one.name}: no factor tried can be told from chance, and none swings throughput by more than "
                f"{one.importance.still_possible:.0%} over its range.",
                one.importance.still_possible * 100,
                source,
            )
    if compared:
        one = fastest([one for one in compared if one.arm.decode] or compared)
        comparison = one.comparison
        assert comparison is not None, "filtered above"
        than = ""
        if comparison.runner_up is not None:
            than = f", against {comparison.runner_up.held_out_error:.1%} by {comparison.runner_up.model}"
            than += "" if comparison.clear else ", which is no certain difference"
        yield _finding(
            "trust",
            f"Throughput of combinations that were not measured can be predicted for {one.name} to within "
            f"{quantity(comparison.best.held_out_error * 100, '%')} by {comparison.best.model}{than}.",
            comparison.best.held_out_error * 100,
            source,
        )


def _finding(use: Use, sentence: str, percent: float, source: str) -> Finding:
    return Finding(use, sentence, percent, "%", None, source)


def _what(one: ArmAnalysis) -> str:
    what = "the source files" if one.arm.source == "files" else f"{one.arm.format} shards"
    return f"{what} with {_reader(one)}"


def _reader(one: ArmAnalysis) -> str:
    return "tf.data" if one.arm.reader == "tf.data" else f"the {one.arm.reader} reader"


def _against(one: ArmAnalysis, below: ArmAnalysis) -> str:
    return "" if one.arm.reader == below.arm.reader else f" (these by {_reader(below)})"


def _cell(cell: Factors) -> str:
    return f"{cell.num_batches:,} batches of {cell.batch_size:,}"


def _at(seen: Observations, level: int) -> Observations:
    """The rows of one level of parallel reads, as if that factor were not there."""
    rows = seen.only(seen.parallel_reads == level)
    return replace(rows, cells=tuple(replace(cell, parallel_reads=1) for cell in rows.cells))


def _sized(seen: Observations, size: int) -> Observations:
    rows = seen.only(seen.batch_size == size)
    return replace(rows, cells=tuple(replace(cell, batch_size=1) for cell in rows.cells))


def _bounded(interval: tuple[float, float]) -> tuple[float, float] | None:
    return interval if all(map(math.isfinite, interval)) else None
