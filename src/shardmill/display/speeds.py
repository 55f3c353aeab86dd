"""Speed tests, and the models of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.display.frame import framed
from shardmill.operations.model.result import ArmResult, ModelOfArm, ModelResult, coefficient_words
from shardmill.operations.speedtest.result import SpeedtestResult
from shardmill.report.html import Element, Node
from shardmill.report.plot.bars import Bar, bars
from shardmill.report.plot.marks import HUE_OF, legend
from shardmill.report.plot.scale import Axis
from shardmill.report.plot.xy import Mark, Series, xy_figure
from shardmill.report.quantity import between, quantity
from shardmill.report.section import figure, folded, heading, note, table
from shardmill.speedtest.record import Cell
from shardmill.speedtest.summary import CellSummary
from shardmill.units import format_count, format_seconds

_SPARE: Final = (4, 5, 1, 2, 0, 3)
_BINDS: Final = {
    "processor": "the processor limits",
    "reading": "reading limits",
    "waiting": "neither is full: time is lost waiting",
}


def measured(result: SpeedtestResult) -> str:
    """Throughput over batch size, or bars where there was one size, and the table of all combinations."""
    title = (
        f"{format_count(result.passes, 'timed pass')} over {format_count(len(result.cells), 'combination')} on {result.engine}, in "
        f"{format_seconds(result.seconds)}"
    )
    parts: list[Node] = []
    if result.cells:
        parts.append(_over_batch_size(result.cells) or _one_by_one(result.cells))
    parts += [note(f"Note: {warning}") for warning in result.warnings]
    parts.append(note(f"Every pass is a row of {result.results}."))
    return framed(title, parts)


def modelled(result: ModelResult) -> str:
    """What limits each way of reading, which factor matters, the coefficients, and how much faster shards are."""
    parts: list[Node] = []
    for place, arm in enumerate(sorted(result.arms, key=lambda one: -one.rate)):
        shown = [note(_limit(arm)), *_shares(arm), *_models(arm)]
        parts += [heading(arm.name), *shown] if place == 0 else [folded(arm.name, *shown)]
    if result.speed_ups:
        entries = [
            Bar(f"{one.shards} over {one.files}", one.value, quantity(one.value, "x"), one.interval)
            for one in result.speed_ups
        ]
        caption = "How many times as fast shards are read as source files, with 95% intervals"
        rows = [
            (
                one.shards,
                one.files,
                quantity(one.value, "x"),
                "none" if one.interval is None else between(one.interval, "x"),
                f"{one.cells:,}",
            )
            for one in result.speed_ups
        ]
        behind = table(
            ("shards", "files", "ratio", "95% interval", "combinations"), rows, caption=caption, numeric=(2, 3, 4)
        )
        parts.append(figure(bars(entries, description=caption, line_at=1), caption, behind))
    left_out = f"; {result.left_out:,} left out, whose cache was not as asked" if result.left_out else ""
    title = f"Models of {format_count(result.rows, 'pass')} from {format_count(len(result.runs), 'run')}{left_out}"
    return framed(title, parts)


def _over_batch_size(cells: Sequence[CellSummary]) -> Node | None:
    """The largest number of batches at each batch size; None with one batch size."""
    if len({one.cell.batch_size for one in cells}) < 2:
        return None
    ways: dict[tuple[object, ...], list[CellSummary]] = {}
    for one in cells:
        ways.setdefault(_way(one.cell), []).append(one)
    series = []
    for place, members in enumerate(ways.values()):
        most = max(one.cell.num_batches for one in members)
        chosen = sorted((one for one in members if one.cell.num_batches == most), key=lambda one: one.cell.batch_size)
        marks = tuple(Mark(one.cell.batch_size, one.images_per_s, _tip(one)) for one in chosen)
        series.append(
            Series(
                _name(members[0].cell, cells),
                HUE_OF.get(members[0].cell.format, 4)
                if len(ways) <= len(HUE_OF) and _one_a_format(ways)
                else _SPARE[place % 6],
                (),
                marks,
                tuple((mark.x, mark.y) for mark in marks),
                tuple((one.cell.batch_size, one.low, one.high) for one in chosen),
            )
        )
    caption = (
        "Median images a second over batch size, at the most batches measured; bands: the middle half of the passes"
    )
    sizes = tuple(sorted({float(one.cell.batch_size) for one in cells}))
    drawn = xy_figure(
        series, Axis("batch size", "log", ticks=sizes), Axis("images/s", from_zero=True), description=caption
    )
    return figure(drawn, caption, _table(cells), legend=legend([(one.name, one.hue) for one in series]))


def _one_by_one(cells: Sequence[CellSummary]) -> Node:
    entries = [
        Bar(
            _name(one.cell, cells),
            one.images_per_s,
            quantity(round(one.images_per_s), "images/s"),
            (one.low, one.high),
            HUE_OF.get(one.cell.format, 4),
            _tip(one),
        )
        for one in cells
    ]
    caption = "Median images a second; whiskers: the middle half of the passes"
    return figure(bars(entries, description=caption), caption, _table(cells))


def _way(cell: Cell) -> tuple[object, ...]:
    """All but batch size and number of batches."""
    return (cell.dataset, cell.reader, cell.decode, cell.cache, cell.parallel_reads, cell.concurrency)


def _one_a_format(ways: dict[tuple[object, ...], list[CellSummary]]) -> bool:
    formats = [members[0].cell.format for members in ways.values()]
    return len(set(formats)) == len(formats)


def _name(cell: Cell, among: Sequence[CellSummary]) -> str:
    """The data set, and what else differs among the cells."""
    words = [cell.dataset]
    names = {
        "reader": cell.reader,
        "decode": "decoded" if cell.decode else "not decoded",
        "cache": f"{cell.cache} cache",
        "parallel_reads": format_count(cell.parallel_reads, "parallel read"),
        "concurrency": f"{cell.concurrency} at once",
    }
    words += [word for name, word in names.items() if len({getattr(one.cell, name) for one in among}) > 1]
    return ", ".join(words)


def _tip(one: CellSummary) -> str:
    return (
        f"{one.images_per_s:,.0f} images/s, {one.low:,.0f} to {one.high:,.0f}: {one.cell.num_batches:,} batches of "
        f"{one.cell.batch_size:,}, {format_count(one.passes, 'pass')}"
    )


def _table(cells: Sequence[CellSummary]) -> Element:
    rows = [
        (
            one.cell.dataset,
            one.cell.reader,
            "yes" if one.cell.decode else "no",
            one.cell.cache,
            f"{one.cell.batch_size:,}",
            f"{one.cell.num_batches:,}",
            f"{one.cell.parallel_reads:,}",
            f"{one.cell.concurrency:,}",
            f"{one.images_per_s:,.0f}",
            f"{one.low:,.0f} to {one.high:,.0f}",
            quantity(one.first_batch_s, "s"),
        )
        for one in cells
    ]
    columns = (
        "data set", "reader", "decoded", "cache", "batch size", "batches", "parallel reads", "readers", "images/s", "middle half",
        "first batch",
    )  # fmt: skip
    return table(columns, rows, caption="Every combination", numeric=range(4, 11))


def _limit(arm: ArmResult) -> str:
    reading = "no pass was seen to be cold" if arm.read_ceiling is None else f"{arm.read_ceiling:,.0f} by reading"
    interval = "" if arm.rate_interval is None else f" ({between(arm.rate_interval)})"
    return (
        f"Fastest {arm.rate:,.0f} images/s{interval} with {arm.busy:.0%} of the cores; ceilings: {arm.processor_ceiling:,.0f} by the "
        f"processor, {reading}; {_BINDS[arm.limit]}."
    )


def _shares(arm: ArmResult) -> list[Node]:
    if not arm.shares:
        return []
    if arm.strongest_predictor is None:
        caption = "Share of the variance of throughput by predictor; none can be told from chance"
    else:
        caption = f"Share of the variance of throughput by predictor; the strongest is {arm.strongest_predictor}"
    entries = [Bar(name, max(0.0, share), f"{share:.0%}") for name, share in arm.shares]
    return [figure(bars(entries, description=caption), caption)]


def _models(arm: ArmResult) -> list[Node]:
    """The one that predicts best, then the others."""
    ordered = sorted(arm.models, key=lambda one: one.name != arm.best_model)
    tables = [_coefficients(one) for one in ordered if one.coefficients]
    return [*tables[:1], *([folded("Other models", *tables[1:])] if len(tables) > 1 else [])]


def _coefficients(model: ModelOfArm) -> Node:
    rows = []
    for one in model.coefficients:
        value, interval, remark = coefficient_words(one.value, one.unit, one.interval)
        rows.append((one.name, value, interval.strip("()"), remark.strip()))
    error = "" if model.held_out_error is None else f"; held-out error {model.held_out_error:.1%}"
    target = "images/s" if model.target == "rate" else "seconds of a window"
    return table(
        ("term", "coefficient", "95% interval", ""), rows, caption=f"{target}, {model.name}{error}", numeric=(1, 2)
    )
