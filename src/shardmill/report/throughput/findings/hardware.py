"""What limits, and what to add: processor, disk or network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shardmill.model.analysis import ArmAnalysis
from shardmill.model.predictors import PER_IMAGE_CROWDED
from shardmill.report.finding import Finding
from shardmill.report.quantity import quantity
from shardmill.report.throughput.findings.words import bounded, percent
from shardmill.report.throughput.models import fastest
from shardmill.report.throughput.study import Study
from shardmill.units import format_count


def hardware_findings(study: Study, arms: Sequence[ArmAnalysis], source: str) -> Iterator[Finding]:
    """The limit at the fastest combination, how near the other one is, and what shards save."""
    best = fastest(arms)
    yield _limit(study, best, source)
    yield from _disk(best, source)
    yield from _cpu_per_image(arms, best, source)
    yield from _crowding(best, source)


def _limit(study: Study, best: ArmAnalysis, source: str) -> Finding:
    roof = best.roofline
    cores = format_count(study.cores, "core")
    rate = quantity(round(roof.rate.value), "images/s")
    could = quantity(round(roof.processor.value), "images/s")
    busy, interval = roof.busy * 100, percent(roof.busy_interval)
    if roof.limit == "processor":
        gain = max(0.0, roof.processor.value / roof.rate.value - 1)
        reached = f"of at most {could}" if gain > 0 else "all that they can do"  # a rate scatters about its ceiling
        return Finding(
            "processor-limits",
            "hardware",
            f"The processor limits {best.name}: {cores} were {roof.busy:.0%} busy at {rate}, {reached}. Add cores or faster "
            f"ones; a faster disk or network would gain at most {gain:.0%}.",
            busy,
            "%",
            interval,
            source,
        )
    if roof.limit == "reading" and roof.reading is not None:
        return Finding(
            "reading-limits",
            "hardware",
            f"Reading limits {best.name}: {rate} is {roof.rate.value / roof.reading.value:.0%} of what this disk or link delivers. A "
            f"faster one helps up to {could}, where the processor is full; more cores do not.",
            busy,
            "%",
            interval,
            source,
        )
    return Finding(
        "nothing-is-full",
        "hardware",
        f"No hardware is full at {rate} of {best.name}: {cores} were {roof.busy:.0%} busy, enough for {could}. Try more parallel "
        "reads or concurrent readers before paying for any.",
        busy,
        "%",
        interval,
        source,
    )


def _disk(best: ArmAnalysis, source: str) -> Iterator[Finding]:
    roof = best.roofline
    if roof.reading is None or roof.read_mb_per_s is None:
        return
    share = roof.reading.over(roof.processor)
    least = "at least " if roof.reading_is_least else ""
    delivers = (
        f"This disk or link delivers {least}{quantity(roof.read_mb_per_s, 'MB/s')} to a cold cache, "
        f"{quantity(share.value, 'x', bare=True)} times what the processor can decode of {best.name}"
    )
    if share.value > 1:
        yield Finding(
            "disk-enough",
            "hardware",
            f"{delivers}: the processor is full first.",
            share.value,
            "x",
            bounded(share.interval),
            source,
            ("disk",),
        )
    else:
        yield Finding(
            "disk-slow",
            "hardware",
            f"{delivers}: it is full before the processor is.",
            share.value,
            "x",
            bounded(share.interval),
            source,
            ("disk",),
        )


def _cpu_per_image(arms: Sequence[ArmAnalysis], best: ArmAnalysis, source: str) -> Iterator[Finding]:
    files = [one for one in arms if one.arm.source == "files"]
    if not files or best.arm.source != "shards":
        return
    other = min(files, key=lambda one: one.roofline.cpu_per_image.value).roofline.cpu_per_image
    own = best.roofline.cpu_per_image
    saved = other.over(own)
    yield Finding(
        "cpu-per-image",
        "hardware",
        f"An image costs {quantity(other.value, 's')} of CPU from the source files and {quantity(own.value, 's')} from {best.name}: the "
        f"same cores feed {quantity(saved.value, 'x', bare=True)} times as many images.",
        saved.value,
        "x",
        bounded(saved.interval),
        source,
    )


def _crowding(best: ArmAnalysis, source: str) -> Iterator[Finding]:
    fit = best.physical.fit
    if PER_IMAGE_CROWDED in fit and fit[PER_IMAGE_CROWDED].sure:
        added = fit[PER_IMAGE_CROWDED]
        yield Finding(
            "readers-slow-each-other",
            "hardware",
            f"Readers of {best.name} that run at the same time slow each other: each further one adds "
            f"{quantity(added.value, 's')} to every image of the others.",
            added.value,
            "s",
            bounded(added.interval),
            source,
        )
