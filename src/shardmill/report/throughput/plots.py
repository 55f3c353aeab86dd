"""Throughput over batch size, parallel reads and concurrent readers; time to the first batch; every pass in its order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final

import numpy as np

from shardmill.model.analysis import ArmAnalysis, Fitted
from shardmill.model.observations import Factors, Observations, factors_of
from shardmill.model.predictors import cell_medians, terms_of
from shardmill.report.html import Element, Node
from shardmill.report.plot.marks import legend
from shardmill.report.plot.scale import Axis
from shardmill.report.plot.xy import Level, Mark, Series, xy_figure, xy_plot
from shardmill.report.quantity import quantity
from shardmill.report.section import figure, panels, table
from shardmill.report.throughput.study import Study
from shardmill.speedtest.record import Measurement

_SMALL: Final = "small marks: each pass; large: the median of its combination"
_STEPS: Final = 24


def over_batch_size(study: Study, arms: Sequence[ArmAnalysis], words: str) -> Element:
    """A panel for each number of batches, with the fitted physical model as a line with its band."""
    settings = sorted(
        {(cell.num_batches, cell.parallel_reads, cell.concurrency) for one in arms for cell in one.seen.cells}
    )
    sizes = _ticks(cell.batch_size for one in arms for cell in one.seen.cells)
    top = [row.images_per_s for one in arms for row in study.by_arm[one.arm]]
    plots: list[Node] = []
    for setting in settings:
        series = [made for one in arms if (made := _batch_series(study, one, arms, setting)) is not None]
        title = _setting_words(setting, settings)
        plots.append(
            xy_plot(
                series,
                Axis("batch size", "log", ticks=sizes),
                Axis("images/s", from_zero=True),
                description=f"Images a second over batch size, {title}: " + "; ".join(_span(one) for one in series),
                title=title,
                y_values=top,
            )
        )
    caption = (
        f"Throughput over batch size, {words}. Lines: seconds of a window fitted as start-up, images and batches; bands: where "
        "the line lies with 95% confidence."
    )
    names = legend([(study.short(one, arms), study.hue(one.arm)) for one in arms], (_SMALL,))
    return figure(panels(plots), caption, medians_table(study, arms, caption), legend=names)


def over_factor(study: Study, arms: Sequence[ArmAnalysis], factor: str, words: str) -> Element | None:
    """Throughput of all readers together over `parallel_reads` or `concurrency`, at the largest window; None: it does not vary."""
    series, chosen = [], None
    for one in arms:
        rows = study.by_arm[one.arm]
        levels = {getattr(row, factor) for row in rows}
        if len(levels) < 2:
            continue
        chosen = max((factors_of(row) for row in rows), key=lambda cell: (cell.window, cell.batch_size))
        other = "concurrency" if factor == "parallel_reads" else "parallel_reads"
        fixed = _common_level(rows, other, factor, len(levels))
        picked = [
            row
            for row in rows
            if (row.batch_size, row.num_batches) == (chosen.batch_size, chosen.num_batches)
            and getattr(row, other) == fixed
        ]
        series.append(
            _series(
                study.short(one, arms),
                study.hue(one.arm),
                picked,
                factor,
                lambda row: row.images_per_s * row.concurrency,
            )
        )
    if chosen is None:
        return None
    names = {"parallel_reads": "parallel reads", "concurrency": "concurrent readers"}
    axis = Axis(names[factor], "log", ticks=_ticks(mark.x for one in series for mark in one.medians))
    caption = (
        f"Throughput of all readers together over {names[factor]}, {words}, in windows of "
        f"{chosen.num_batches:,} batches of {chosen.batch_size:,}."
    )
    drawn = xy_figure([_joined(one) for one in series], axis, Axis("images/s", from_zero=True), description=caption)
    rows_behind = [
        (one.name, f"{mark.x:,.0f}", f"{mark.y:,.0f}")
        for one in series
        for mark in sorted(one.medians, key=lambda m: m.x)
    ]
    behind = table(("read", names[factor], "median images/s"), rows_behind, caption=caption, numeric=(1, 2))
    return figure(drawn, caption, behind, legend=legend([(one.name, one.hue) for one in series], (_SMALL,)))


def first_batch(study: Study, arms: Sequence[ArmAnalysis], words: str) -> Element:
    """How long until the first batch of a window is there."""
    series = [
        _series(
            study.short(one, arms),
            study.hue(one.arm),
            study.by_arm[one.arm],
            "batch_size",
            lambda row: row.first_batch_s * 1e3,
            "ms",
        )
        for one in arms
    ]
    sizes = _ticks(mark.x for one in series for mark in one.medians)
    caption = f"Time from asking until the first batch is there, {words}, over all numbers of batches and readers."
    drawn = xy_figure(
        [_joined(one) for one in series],
        Axis("batch size", "log", ticks=sizes),
        Axis("milliseconds", from_zero=True),
        description=caption,
        dodge=4,
    )
    rows_behind = [
        (one.name, f"{mark.x:,.0f}", quantity(mark.y / 1e3, "s"))
        for one in series
        for mark in sorted(one.medians, key=lambda m: m.x)
    ]
    behind = table(("read", "batch size", "median"), rows_behind, caption=caption, numeric=(1, 2))
    return figure(drawn, caption, behind, legend=legend([(one.name, one.hue) for one in series], (_SMALL,)))


def in_order(study: Study, arms: Sequence[ArmAnalysis]) -> Element:
    """Every pass over the median of its cell, in the order of measurement: spread and drift in one picture."""
    series = []
    for one in arms:
        shares = one.seen.rate / cell_medians(one.seen.rate, one.seen) * 100
        points = tuple(
            Mark(
                place,
                share,
                f"pass {place:.0f}: {share:.1f}% of its median\n{one.name}, {_cell_words(one.seen.cells[cell])}",
            )
            for place, share, cell in zip(one.seen.position, shares, one.seen.cell, strict=True)
        )
        series.append(Series(one.name, study.hue(one.arm), points))
    caption = (
        "Every pass against the median of its combination, in the order of measurement. A slope would be drift of the machine; "
        "the combinations come in random order, so that it would favour none."
    )
    drawn = xy_figure(
        series,
        Axis("place in the run"),
        Axis("% of the combination's median"),
        description=caption,
        levels=(Level(90, "10% below"), Level(110, "10% above")),
        dodge=0,
    )
    unique = dict.fromkeys((study.hue(one.arm), study.short(one, arms)) for one in arms)
    return figure(drawn, caption, legend=legend([(name, hue) for hue, name in unique]))


def medians_table(study: Study, arms: Sequence[ArmAnalysis], caption: str) -> Element:
    """Every combination with its median, quartiles and number of passes."""
    rows = []
    for one in arms:
        for cell, factors in enumerate(one.seen.cells):
            rates = one.seen.rate[one.seen.cell == cell]
            low, middle, high = np.quantile(rates, (0.25, 0.5, 0.75))
            rows.append(
                (
                    study.short(one, arms),
                    f"{factors.batch_size:,}",
                    f"{factors.num_batches:,}",
                    f"{factors.parallel_reads:,}",
                    f"{factors.concurrency:,}",
                    f"{middle:,.0f}",
                    f"{low:,.0f} to {high:,.0f}",
                    f"{len(rates):,}",
                )
            )
    columns = ("read", "batch size", "batches", "parallel reads", "readers", "median images/s", "quartiles", "passes")
    return table(columns, rows, caption=caption, numeric=range(1, 8))


def _batch_series(
    study: Study, one: ArmAnalysis, arms: Sequence[ArmAnalysis], setting: tuple[int, int, int]
) -> Series | None:
    rows = [row for row in study.by_arm[one.arm] if (row.num_batches, row.parallel_reads, row.concurrency) == setting]
    if not rows:
        return None
    made = _series(study.short(one, arms), study.hue(one.arm), rows, "batch_size", lambda row: row.images_per_s)
    line, band = _curve(one.physical, one.seen, setting)
    return Series(made.name, made.hue, made.points, made.medians, line, band)


def _curve(
    physical: Fitted, seen: Observations, setting: tuple[int, int, int]
) -> tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float, float], ...]]:
    """The fitted throughput over batch size, and its 95% band, for a number of batches, parallel reads and readers."""
    smallest, largest = float(seen.batch_size.min()), float(seen.batch_size.max())
    if smallest == largest:
        return (), ()
    sizes = np.geomspace(smallest, largest, _STEPS)
    count, reads, crowd = (np.full(_STEPS, float(value)) for value in setting)
    where = Observations(
        cell=np.zeros(_STEPS, np.int64),
        cells=seen.cells,
        batch_size=sizes,
        num_batches=count,
        parallel_reads=reads,
        concurrency=crowd,
        images=sizes * count,
        seconds=np.zeros(_STEPS),
        rate=np.zeros(_STEPS),
        position=np.zeros(_STEPS),
        host=np.zeros(_STEPS, np.int64),
        hosts=seen.hosts,
    )
    columns = {term.name: term.column for term in terms_of(physical.model, where)}
    names = [one.name for one in physical.fit.coefficients]
    line, band = [], []
    for place, size in enumerate(sizes):
        seconds = physical.fit.combination(np.array([columns[name][place] for name in names]))
        if seconds.value <= 0:
            return (), ()
        images = float(size * count[place])
        line.append((float(size), images / seconds.value))
        low, high = seconds.interval
        if math.isfinite(high) and low > 0:
            band.append((float(size), images / high, images / low))
    return tuple(line), tuple(band)


def _series(
    name: str,
    hue: int,
    rows: Iterable[Measurement],
    factor: str,
    value: Callable[[Measurement], float],
    unit: str = "images/s",
) -> Series:
    by_level: dict[int, list[float]] = {}
    points = []
    for row in rows:
        level, measured = getattr(row, factor), value(row)
        by_level.setdefault(level, []).append(measured)
        tip = f"{name}: {quantity(measured, unit)}\n{_cell_words(factors_of(row))}, repetition {row.repetition + 1}"
        points.append(Mark(level, measured, tip))
    words = factor.replace("_", " ")
    medians = tuple(
        Mark(
            level,
            middle := median(values),
            f"{name}: median {quantity(middle, unit)}\n{words} {level:,}, {len(values)} passes",
        )
        for level, values in sorted(by_level.items())
    )
    return Series(name, hue, tuple(points), medians)


def _joined(one: Series) -> Series:
    """Its medians joined by a line."""
    return Series(
        one.name, one.hue, one.points, one.medians, tuple((mark.x, mark.y) for mark in one.medians), dashed=True
    )


def _common_level(rows: Sequence[Measurement], other: str, factor: str, levels: int) -> int:
    """The level of `other` at which most levels of `factor` were measured, the smallest of such."""
    seen: dict[int, set[int]] = {}
    for row in rows:
        seen.setdefault(getattr(row, other), set()).add(getattr(row, factor))
    full = [level for level, met in seen.items() if len(met) == levels]
    return min(full) if full else max(seen, key=lambda level: len(seen[level]))


def _ticks(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(sorted({float(value) for value in values}))


def _setting_words(setting: tuple[int, int, int], settings: Sequence[tuple[int, int, int]]) -> str:
    names = ("batches", "parallel reads", "concurrent readers")
    words = [
        f"{value:,} {name}"
        for place, (value, name) in enumerate(zip(setting, names, strict=True))
        if place == 0 or len({one[place] for one in settings}) > 1
    ]
    return ", ".join(words)


def _cell_words(cell: Factors) -> str:
    words = [f"{cell.num_batches:,} batches of {cell.batch_size:,}"]
    if cell.parallel_reads != 1:
        words.append(f"{cell.parallel_reads} parallel reads")
    if cell.concurrency != 1:
        words.append(f"{cell.concurrency} readers")
    return ", ".join(words)


def _span(one: Series) -> str:
    first, last = one.medians[0], one.medians[-1]
    return f"{one.name} from {first.y:,.0f} at {first.x:,.0f} to {last.y:,.0f} at {last.x:,.0f}"
