"""The section of a sweep that was simulated: every number marked as predicted, beside how well such predictions did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shardmill.report.finding import Finding, Use
from shardmill.report.html import Element, Node
from shardmill.report.names import section_id
from shardmill.report.plot.marks import legend
from shardmill.report.plot.scale import Axis
from shardmill.report.plot.xy import Mark, Series, xy_figure
from shardmill.report.quantity import between, quantity
from shardmill.report.section import Section, definitions, figure, folded, heading, paragraph, table
from shardmill.report.sections.simulation import predicted_figure
from shardmill.report.shapes.bill import bill
from shardmill.report.shapes.plots import time_and_cost
from shardmill.report.shapes.study import Study, read_predictions
from shardmill.runs import Run
from shardmill.sweep.cells import counted_partitions
from shardmill.sweep.row import SweepRow
from shardmill.sweep.simulation.record import Simulated
from shardmill.sweep.simulation.validation import LEFT_OUT, Validation
from shardmill.units import format_count, format_seconds

_LEFT_OUT_WORDS: Final = {
    "shape": "no run of its shape",
    "partitions": "no run with its number of partitions",
    "images": "no run of as many images",
    "caps": "no run from a store like its",
}
_LEVEL: Final = "90% of draws"
KINDS: Final = ("fastest-predicted", "cheapest-predicted")
"""Of the findings below whose kind is put together where they are made."""


def simulated_section(run: Run, simulated: Simulated) -> Section:
    """What `simulated`, of the folder of `run`, predicts."""
    study = read_predictions(run, simulated)
    name = section_id("sweep", run.path.name)
    basis = f"{format_count(simulated.runs, 'run')} of {simulated.calibrated_on}"
    parts: list[Node] = [
        paragraph(
            f"Nothing here was run: every time and cost is predicted by a simulation that was calibrated on {basis}. "
            "Ranges hold nine in ten of its draws."
        ),
        bill(study),
        time_and_cost(study),
        predicted_figure(study.rows),
        heading("How far to trust the predictions"),
    ]
    parts += _trust(simulated)
    parts += [folded("What the simulation was calibrated to", _parameters(simulated))]
    if study.prices:
        parts.append(definitions([("Prices", study.prices)]))
    shapes = format_count(len(study.shapes), "shape")
    lead = f"{shapes}, predicted from {basis}; none of them was run."
    return Section(
        name, f"Cluster shapes: {study.workload} (predicted)", tuple(parts), _findings(study, simulated, name), lead
    )


def _trust(simulated: Simulated) -> list[Node]:
    found = simulated.validation
    if found is None:
        words = "No run of the calibration is unlike the others in shape, partitions, images or store"
        return [paragraph(f"{words}, so that no prediction of this kind could be checked.")]
    return [_checked(found)]


def _checked(found: Validation) -> Element:
    kinds = [kind for kind in LEFT_OUT if found.by(kind).checked]
    series = [
        Series(
            _LEFT_OUT_WORDS[kind],
            hue,
            medians=tuple(
                Mark(
                    one.measured_s,
                    one.predicted_s,
                    f"{one.shape}: {quantity(one.predicted_s, 's')} predicted, {quantity(one.measured_s, 's')} measured",
                )
                for one in found.by(kind).checked
            ),
        )
        for hue, kind in enumerate(kinds)
    ]
    most = max(max(one.measured_s, one.predicted_s) for one in found.checked)
    same = Series("as measured", 5, line=((0.0, 0.0), (most, most)), dashed=True)
    caption = (
        f"Runs that were measured, each predicted as if no run like it had been: half of {len(found.checked)} predictions miss by "
        f"{found.median_error:.0%} or less, and {found.covered:.0%} lie within their range of 90%. Images over cores and rate, "
        f"without a simulation, misses by {found.naive_median_error:.0%}. On the dashed line both are the same."
    )
    rows = [
        (
            _LEFT_OUT_WORDS[kind],
            f"{len(own.checked)}",
            f"{own.median_error:.0%}",
            f"{own.naive_median_error:.0%}",
            f"{own.covered:.0%}",
        )
        for kind in kinds
        for own in (found.by(kind),)
    ]
    columns = ("predicted from", "predictions", "median error", "without simulation", "within their 90%")
    behind = table(columns, rows, caption="Errors by what the prediction did not know.", numeric=(1, 2, 3, 4))
    plot = xy_figure(
        [same, *series],
        Axis("measured, s", from_zero=True),
        Axis("predicted, s", from_zero=True),
        description=caption,
        dodge=0.0,
    )
    names = legend([(f"from {_LEFT_OUT_WORDS[kind]}", hue) for hue, kind in enumerate(kinds)])
    return figure(plot, caption, behind, legend=names)


def _parameters(simulated: Simulated) -> Element:
    rows = [
        (name.replace("_", " "), quantity(value), between((low, high)))
        for name, (value, low, high) in simulated.parameters.items()
    ]
    caption = "Parameters of the simulation, in seconds, bytes and core-seconds, with 90% of the draws."
    return table(("parameter", "value", "90%"), rows, caption=caption, numeric=(1, 2))


def _findings(study: Study, simulated: Simulated, source: str) -> tuple[Finding, ...]:
    found = []
    wanted: list[tuple[str, Use, str, Callable[[SweepRow], float | None]]] = [
        ("fastest", "batch", "s", lambda row: row.elapsed_s),
        ("cheapest", "cost", "$", lambda row: row.full_usd),
    ]
    for kind, use, unit, value in wanted:
        values = {row.run: one for row in study.rows if (one := value(row)) is not None}
        if len({row.shape for row in study.rows if row.run in values}) < 2:
            continue
        best = min((row for row in study.rows if row.run in values), key=lambda row: values[row.run])
        cell = next(cell for cell in study.cells if best in cell.rows)
        takes = f"{format_seconds(best.elapsed_s)} a run"
        if unit == "$":
            takes = f"{quantity(values[best.run], '$')} a run with its cluster, {takes}"
        sentence = f"Predicted, not measured: {study.plain_name(cell.cell)} is the {kind} of {len(study.shapes)} shapes, {takes}."
        interval = None
        if unit == "s" and best.predicted_low_s is not None and best.predicted_high_s is not None:
            interval = (best.predicted_low_s, best.predicted_high_s)
        found.append(
            Finding(f"{kind}-predicted", use, sentence, values[best.run], unit, interval, source, ("shape",), _LEVEL)
        )
    if study.several_partitions:
        found += [_partitions(study, shape, source) for shape in study.shapes]
    checked = simulated.validation
    if checked is None:
        sentence = "The simulation could not be checked: no run of its calibration is unlike the others."
        found.append(Finding("prediction-unchecked", "trust", sentence, 0, "checked", None, source))
    else:
        sentence = (
            f"Predictions of runs unlike those of the calibration missed by {checked.median_error:.0%} in the median; images over "
            f"cores and rate, by {checked.naive_median_error:.0%}."
        )
        found.append(Finding("prediction-error", "trust", sentence, 100 * checked.median_error, "%", None, source))
    return tuple(found)


def _partitions(study: Study, shape: str, source: str) -> Finding:
    cell = study.chosen(shape)
    sentence = (
        f"Predicted, not measured: {shape} is fastest with {counted_partitions(cell.cell.partitions)}, of those asked for: "
        f"{format_seconds(cell.elapsed_s)} a run."
    )
    return Finding("partitions-predicted", "batch", sentence, cell.elapsed_s, "s", None, source, ("partitions",))
