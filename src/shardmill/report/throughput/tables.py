"""Evidence beside the plots: caches, spread, ratios, ceilings, the machine."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from shardmill.model.analysis import ArmAnalysis, cell_spreads
from shardmill.model.ratio import Ratio
from shardmill.model.roofline import Roofline
from shardmill.report.html import Element, Node
from shardmill.report.plot.bars import Bar, bars
from shardmill.report.quantity import between, quantity
from shardmill.report.section import definitions, figure, table
from shardmill.report.throughput.study import Study
from shardmill.speedtest.record import Measurement
from shardmill.units import format_bytes, format_count


def cache_evidence(rows: Sequence[Measurement]) -> Element:
    """For what was asked, what was seen: bytes from the device against bytes handed over."""
    groups: dict[tuple[str, str, str], list[Measurement]] = {}
    for row in rows:
        if not row.warm_up:
            groups.setdefault((row.dataset, row.reader, row.cache), []).append(row)
    body = []
    for (dataset, reader, cache), passes in sorted(groups.items()):
        seen = Counter(row.cache_seen for row in passes)
        handed = sum(row.bytes_read for row in passes)
        share = sum(row.device_bytes for row in passes) / handed if handed else math.nan
        left_out = sum(not row.as_asked for row in passes)
        body.append(
            (
                dataset,
                reader,
                cache,
                f"{len(passes):,}",
                ", ".join(f"{count:,} {state}" for state, count in seen.most_common()),
                f"{share:.1%}" if math.isfinite(share) else "not known",
                f"{left_out:,}" if left_out else "none",
            )
        )
    return table(
        ("data set", "reader", "cache asked for", "passes", "seen", "bytes from the device", "left out"),
        body,
        caption="Caches: what each pass really read from the device or the network, by the kernel's count. Cold is at least 95% "
        "of the bytes that were handed over, warm at most 5%; a pass that was not as asked is left out of everything else.",
        numeric=(3, 5, 6),
    )


def spread_table(study: Study) -> Element:
    """How far repetitions of the same combination lie apart."""
    body = []
    for one in study.arms:
        spreads = sorted(cell_spreads(one.seen).values())
        within = sum(spread <= 0.1 for spread in spreads)
        drift = "not known" if not math.isfinite(one.drift.share) else f"{one.drift.share:+.1%}".replace("-", "\u2212")
        body.append(
            (
                one.name,
                f"{len(one.seen.cells):,}",
                f"{one.repetitions:.0f}",
                f"{one.spread:.1%}" if spreads else "not known",
                f"{spreads[-1]:.1%}" if spreads else "not known",
                f"{within / len(spreads):.0%}" if spreads else "not known",
                f"{one.outliers:,}",
                drift,
            )
        )
    return table(
        (
            "read",
            "combinations",
            "passes each",
            "median spread",
            "widest",
            "within 10%",
            "far off",
            "drift over the run",
        ),
        body,
        caption="Spread: the interquartile range of the passes of a combination over their median.",
        numeric=range(1, 8),
    )


def ratio_figure(study: Study, ratios: Sequence[tuple[ArmAnalysis, ArmAnalysis, Ratio]]) -> Element:
    """How many times as fast shards are read as files."""
    entries = [
        Bar(
            f"{above.name} over {below.name}",
            found.value,
            quantity(found.value, "x"),
            found.interval if math.isfinite(found.interval[1]) else None,
            study.hue(above.arm),
            f"{above.name} over {below.name}: {quantity(found.value, 'x')}, {between(found.interval, 'x')}\n"
            f"{format_count(len(found.cells), 'combination')}",
        )
        for above, below, found in ratios
    ]
    caption = "How many times as fast shards are read as the source files: geometric mean over the combinations that both have."
    behind = table(
        ("shards", "files", "ratio", "95% interval", "combinations", "smallest", "largest"),
        [
            (
                above.name,
                below.name,
                quantity(found.value, "x"),
                between(found.interval, "x"),
                f"{len(found.cells):,}",
                f"{quantity(found.smallest[1], 'x')} at {found.smallest[0].num_batches} batches of {found.smallest[0].batch_size}",
                f"{quantity(found.largest[1], 'x')} at {found.largest[0].num_batches} batches of {found.largest[0].batch_size}",
            )
            for above, below, found in ratios
        ],
        caption=caption,
        numeric=(2, 3, 4),
    )
    words = "; ".join(f"{entry.name} {entry.text}" for entry in entries)
    return figure(bars(entries, description=f"{caption} {words}", line_at=1), caption, behind)


def roofline_figure(study: Study, arms: Sequence[ArmAnalysis]) -> Element:
    """What was reached, beside what the processor and the disk or link could do."""
    entries = []
    body: list[tuple[Node, ...]] = []
    for one in arms:
        roof, hue = one.roofline, study.hue(one.arm)
        entries.append(
            Bar(f"{one.name}: measured", roof.rate.value, _rate(roof.rate.value), _finite(roof.rate.interval), hue)
        )
        entries.append(
            Bar(f"{one.name}: the processor could", roof.processor.value, _rate(roof.processor.value), None, 5)
        )
        if roof.reading is not None:
            least = "at least " if roof.reading_is_least else ""
            entries.append(
                Bar(f"{one.name}: reading could", roof.reading.value, least + _rate(roof.reading.value), None, 5)
            )
        body.append(_roof_row(one.name, roof))
    caption = (
        f"Ceilings at the fastest combination of each: decoding with all {format_count(study.cores, 'core')} of this machine, "
        "and reading as fast as the fastest cold pass."
    )
    behind = table(
        ("read", "measured", "cores busy", "CPU an image", "of that decoding", "processor", "read", "reading", "limit"),
        body,
        caption=caption,
        numeric=range(1, 8),
    )
    return figure(bars(entries, description=caption), caption, behind)


def _roof_row(name: str, roof: Roofline) -> tuple[Node, ...]:
    limits = {"processor": "processor", "reading": "reading", "waiting": "neither: waiting"}
    decode = "not measured" if roof.decode_cpu_per_image is None else quantity(roof.decode_cpu_per_image, "s")
    return (
        name,
        _rate(roof.rate.value),
        f"{roof.busy:.0%}",
        quantity(roof.cpu_per_image.value, "s"),
        decode,
        _rate(roof.processor.value),
        "not measured" if roof.read_mb_per_s is None else quantity(roof.read_mb_per_s, "MB/s"),
        "not measured" if roof.reading is None else _rate(roof.reading.value),
        limits[roof.limit],
    )


def machine_facts(machine: Mapping[str, Any], request: Mapping[str, Any]) -> Element:
    """The machine that measured, its versions, and how it was asked to."""
    entries: list[tuple[str, Node]] = [
        ("Host", str(machine.get("host", "not known"))),
        ("Processor", str(machine.get("cpu", "not known"))),
        ("Cores", str(machine.get("cores", "not known"))),
        ("Memory", format_bytes(float(machine.get("memory_bytes") or 0))),
        ("System", str(machine.get("platform", "not known"))),
        ("Python", str(machine.get("python", "not known"))),
    ]
    entries += [(str(name), str(version)) for name, version in sorted(dict(machine.get("versions") or {}).items())]
    asked = {"repetitions": "Repetitions", "min_seconds": "Least seconds a pass", "seed": "Seed", "engine": "Engine"}
    entries += [(words, str(request[name])) for name, words in asked.items() if name in request]
    return definitions(entries)


def _rate(value: float) -> str:
    return quantity(round(value) if value >= 1000 else value, "images/s")


def _finite(interval: tuple[float, float]) -> tuple[float, float] | None:
    return interval if math.isfinite(interval[1]) else None
