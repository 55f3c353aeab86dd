"""The plots of a sweep: time and cost over partitions, use over time, tasks on their cores, where time and spread go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from shardmill.report.html import Element, Node
from shardmill.report.plot.bars import Bar, bars
from shardmill.report.plot.marks import legend
from shardmill.report.plot.scale import Axis
from shardmill.report.plot.timeline import Lane, Span, timeline
from shardmill.report.plot.xy import Mark, Series, xy_plot
from shardmill.report.quantity import quantity
from shardmill.report.section import figure, panels, table
from shardmill.report.shapes.bill import PART_WORDS, parts_table
from shardmill.report.shapes.study import Study, known_values, middle
from shardmill.sweep.cells import CellRuns, by_shape
from shardmill.sweep.limits import PARTS, Part
from shardmill.sweep.row import SweepRow
from shardmill.sweep.spread import Component, Source, Spread
from shardmill.sweep.timeline import Bin, slots_of, timeline_of
from shardmill.units import format_seconds

_MOST_LANES: Final = 24
_PART_HUES: Final[dict[Part, int]] = {
    "start-up": 5,
    "too few tasks": 2,
    "uneven tasks": 3,
    "waiting": 4,
    "processor": 0,
    "in tasks": 1,
}
_SOURCES: Final[dict[Source, str]] = {
    "shape": "shape",
    "partitions": "number of partitions",
    "shape and partitions together": "shape and partitions together",
    "repetition": "repetition",
    "node": "nodes, by task times",
}

Value = Callable[[SweepRow], float | None]


def time_and_cost(study: Study) -> Element:
    """Panels of time and of both costs, over partitions where they vary, else a bar a shape."""
    wanted: list[tuple[str, str, Value]] = [("Time", "s", lambda row: row.elapsed_s)]
    if study.prices:
        wanted += [("Cost of the job alone", "$", lambda row: row.job_usd)]
        wanted += [("Cost with its cluster", "$", lambda row: row.full_usd)]
    caption = "Time and cost of one run" if study.prices else "Time of one run"
    if study.predicted:
        caption = f"Predicted, not measured: {caption[0].lower()}{caption[1:]}"
    if not study.several_partitions:
        return figure(panels([_shape_bars(study, *one) for one in wanted]), f"{caption}, by shape.")
    caption += " over the number of partitions."
    if not study.predicted:
        caption += " Small marks: each run; large: the median."
    plots = [_over_partitions(study, *one) for one in wanted]
    names = legend([(study.shape_name(shape), study.hue(shape)) for shape in study.shapes])
    return figure(panels(plots), caption, legend=names)


def use_over_time(study: Study) -> Element | None:
    """CPU, network and disk of the run in the middle of each shape; None where no samples were taken."""
    bins = {shape: _bins(study, shape) for shape in study.shapes}
    wanted: list[tuple[str, str, Callable[[Bin], float | None]]] = [
        ("CPU", "% of the cores", lambda one: None if one.cpu_share is None else 100 * one.cpu_share),
        ("Network, in and out", "MB/s", lambda one: _mega(one.network_bytes_per_s)),
        ("Disk, read and written", "MB/s", lambda one: _mega(one.disk_bytes_per_s)),
    ]
    plots: list[Node] = []
    for title, unit, value in wanted:
        series = [_flow(study.shape_name(shape), study.hue(shape), bins[shape], value, unit) for shape in bins]
        series = [one for one in series if len(one.line) > 1]
        if series:
            x, y = Axis("seconds since the driver's start", from_zero=True), Axis(unit, from_zero=True)
            described = f"{title} over time: " + "; ".join(
                f"{one.name}, at most {_top(one):.3g} {unit}" for one in series
            )
            plots.append(xy_plot(series, x, y, description=described, title=title))
    if not plots:
        return None
    caption = (
        "CPU, network and disk over time, of the run in the middle of each shape: all machines that run tasks together, "
        "the master and the driver apart."
    )
    names = legend([(study.shape_name(shape), study.hue(shape)) for shape in bins])
    return figure(panels(plots), caption, legend=names)


def tasks_on_cores(study: Study) -> Element | None:
    """Which core ran which task when, in the same runs; None without a log, or where there are too many cores to draw."""
    lanes: list[Lane] = []
    for shape in study.shapes:
        row = study.typical_row(shape)
        run = study.run_of(row)
        if run.log is None or row.tasks is None:
            continue
        start, hue = run.outcome.started_at, study.hue(shape)
        slots = slots_of(run.log)
        whole = Span(0.0, row.elapsed_s, f"{shape}: driver, {format_seconds(row.elapsed_s)}", 5)
        lanes.append(Lane(f"{study.shape_name(shape)}: driver", (whole,)))
        for number, tasks in enumerate(slots, start=1):
            spans = tuple(
                Span(
                    task.launched_at - start,
                    task.finished_at - start,
                    f"task {task.index}, {format_seconds(task.seconds)}" + ("" if task.ok else ", ended in vain"),
                    hue if task.ok else 3,
                )
                for task in tasks
            )
            lanes.append(Lane(f"core {number} of {len(slots)}", spans))
    if not lanes or len(lanes) > _MOST_LANES:
        return None
    axis = Axis("seconds since the driver's start", from_zero=True)
    caption = (
        "Tasks on their cores, in the same runs. What is empty below a driver is a core that waits for it, or idles."
    )
    return figure(timeline(lanes, axis, description=caption), caption)


def where_time_goes(study: Study) -> Element | None:
    """The cores' time of each shape, shared out; None where no log and samples tell it."""
    lanes: list[Lane] = []
    seen: set[Part] = set()
    for shape in study.shapes:
        parts = study.limits[study.chosen(shape).cell].parts
        spans, end = [], 0.0
        for part in PARTS if parts else ():
            begin, end = end, end + 100 * parts.get(part, 0.0)
            if end - begin >= 0.5:
                tip = f"{shape}: {PART_WORDS[part]} {parts[part]:.0%}"
                spans.append(Span(begin, end, tip, _PART_HUES[part]))
        seen |= parts.keys()
        if spans:
            lanes.append(Lane(study.shape_name(shape), tuple(spans)))
    if not lanes:
        return None
    axis = Axis("% of the cores' time, from the driver's start to its end", ticks=(0, 25, 50, 75, 100))
    caption = "Where the time of the cores goes. The largest part is what limits, unless network or disk is full."
    described = (
        caption
        + " "
        + "; ".join(f"{lane.name}: " + ", ".join(span.tip.partition(": ")[2] for span in lane.spans) for lane in lanes)
    )
    names = legend([(PART_WORDS[part], _PART_HUES[part]) for part in PARTS if part in seen])
    return figure(timeline(lanes, axis, description=described), caption, parts_table(study), legend=names)


def spread_bars(spread: Spread) -> Element | None:
    """A bar for each source of spread, all in % of the run time; None where there is none to show."""
    if not spread.components:
        return None
    entries = [
        Bar(_SOURCES[one.source], one.percent, _percent(one), one.percent_interval, place, _tip(one))
        for place, one in enumerate(spread.components)
    ]
    caption = (
        "Where the spread of the run times comes from: one standard deviation of each source, in % of the run time, with "
        "95% intervals."
    )
    rows = [
        (
            _SOURCES[one.source],
            _percent(one),
            "" if one.percent_interval is None else f"{one.percent_interval[0]:.1f} to {one.percent_interval[1]:.1f}%",
            "within a run" if one.share is None else f"{one.share:.0%}",
        )
        for one in spread.components
    ]
    columns = ("source", "of the run time", "95%", "share of the variance")
    behind = table(columns, rows, caption=caption, numeric=(1, 2, 3))
    return figure(bars(entries, description=caption), caption, behind)


def _over_partitions(study: Study, title: str, unit: str, value: Value) -> Element:
    ticks = tuple(sorted({float(_place(cell)) for cell in study.cells}))
    series = []
    for shape, cells in by_shape(study.cells).items():
        points, medians = [], []
        for cell in cells:
            name = study.name(cell.cell)
            for row in () if study.predicted else cell.rows:
                if (one := value(row)) is not None:
                    points.append(
                        Mark(_place(cell), one, f"{name}: {quantity(one, unit)}\nrepetition {row.repetition + 1}")
                    )
            if (one := middle(cell, value)) is not None:
                medians.append(
                    Mark(_place(cell), one, f"{name}: {'' if study.predicted else 'median '}{quantity(one, unit)}")
                )
        line = tuple((mark.x, mark.y) for mark in medians)
        series.append(
            Series(study.shape_name(shape), study.hue(shape), tuple(points), tuple(medians), line, dashed=True)
        )
    axis = Axis("USD" if unit == "$" else "seconds", from_zero=True)
    described = f"{title} over partitions: " + "; ".join(
        f"{one.name} from {quantity(one.medians[0].y, unit)} to {quantity(one.medians[-1].y, unit)}"
        for one in series
        if one.medians
    )
    return xy_plot(series, Axis("partitions", "log", ticks=ticks), axis, description=described, title=title)


def _place(cell: CellRuns) -> int:
    """Where it stands on the axis: a number of its own choice is that of the tasks it made."""
    if cell.cell.partitions is not None:
        return cell.cell.partitions
    made = known_values(cell.rows, lambda row: None if row.tasks is None else row.tasks.tasks)
    return round(made[0]) if made else 1


def _shape_bars(study: Study, title: str, unit: str, value: Value) -> Element:
    entries = []
    for shape in study.shapes:
        known = known_values(study.chosen(shape).rows, value)
        one = middle(study.chosen(shape), value)
        if one is not None:
            text = quantity(one, unit)
            interval = (min(known), max(known)) if len(known) > 1 else None
            entries.append(Bar(study.shape_name(shape), one, text, interval, study.hue(shape)))
    return figure(
        bars(entries, description=title),
        f"{title}{'' if study.predicted else ': median, from the smallest to the largest run'}",
    )


def _bins(study: Study, shape: str) -> tuple[Bin, ...]:
    row = study.typical_row(shape)
    return timeline_of(study.run_of(row), row.cores)


def _flow(name: str, hue: int, bins: Sequence[Bin], value: Callable[[Bin], float | None], unit: str) -> Series:
    line, points = [], []
    for one in bins:
        seen = value(one)
        if seen is not None:
            at = one.start_s + one.seconds / 2
            line.append((at, seen))
            points.append(Mark(at, seen, f"{name}: {seen:.3g} {unit}\nat {format_seconds(at)}"))
    return Series(name, hue, tuple(points), (), tuple(line))


def _top(series: Series) -> float:
    return max(y for _, y in series.line)


def _mega(rate: float | None) -> float | None:
    return None if rate is None else rate / 1e6


def _percent(one: Component) -> str:
    return f"{one.percent:.1f}%"


def _tip(one: Component) -> str:
    text = f"{_SOURCES[one.source]}: {_percent(one)} of the run time"
    return text if one.share is None else f"{text}\n{one.share:.0%} of the variance"
