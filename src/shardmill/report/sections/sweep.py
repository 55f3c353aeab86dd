"""The section of a sweep: shapes side by side, what limited each, where the spread comes from, how many partitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.clusters.base import UsageSample
from shardmill.report.html import Element, Node
from shardmill.report.names import section_id
from shardmill.report.section import Section, definitions, heading, note, paragraph
from shardmill.report.shapes.bill import bill, every_cell, failures, limits_table, partitions_table, tried_table
from shardmill.report.shapes.findings import findings
from shardmill.report.shapes.plots import spread_bars, tasks_on_cores, time_and_cost, use_over_time, where_time_goes
from shardmill.report.shapes.predictions import simulated_section
from shardmill.report.shapes.study import Study, read_study
from shardmill.runs import Run
from shardmill.sweep.simulation.record import load
from shardmill.sweep.timeline import sources_of
from shardmill.units import format_count, format_seconds

_SOURCES: Final = {
    "process": "the nodes' own processes, added up",
    "host": "counters of the whole machine",
    "monitoring": "the provider's monitoring, from outside the machine",
}


def section(run: Run) -> Section:
    """What the sweep in `run` found.

    Raises:
        UsageError: no run of it ended well, or its evidence cannot be read.
    """
    simulated = load(run.path)
    if simulated is not None:
        return simulated_section(run, simulated)
    study = read_study(run)
    name = section_id("sweep", run.path.name)
    parts: list[Node] = [bill(study), note(*_how_to_read(study))]
    if len(study.cells) > len(study.shapes):
        parts.append(every_cell(study))
    parts.append(time_and_cost(study))
    parts += [heading("What limits"), limits_table(study)]
    parts += _there(where_time_goes(study), use_over_time(study), tasks_on_cores(study))
    parts += _partitions(study)
    parts += _spread(study)
    failed = failures(study.rows)
    if failed is not None:
        parts += [heading("What failed"), failed]
    parts += [heading("How it was measured"), definitions(_facts(study, run))]
    return Section(name, f"Cluster shapes: {study.workload}", tuple(parts), tuple(findings(study, name)), _lead(study))


def _lead(study: Study) -> str:
    counts = sorted({row.partitions or 0 for row in study.rows})
    text = f"{format_count(len(study.rows), 'run')} on {format_count(len({row.shape for row in study.rows}), 'shape')}"
    if len(counts) > 1:
        text += f", with {', '.join(f'{count:,}' for count in counts[:-1])} and {counts[-1]:,} partitions"
    failed = sum(row.state != "done" for row in study.rows)
    if failed:
        text += f"; {failed} did not end well"
    return f"{text}."


def _how_to_read(study: Study) -> list[str]:
    text = (
        "Time is the driver's, from its start to its end, the median over repetitions, first runs on a cluster apart. CPU is "
        "the share of the cores that run tasks; network and disk are what their machines moved, in and out."
    )
    if study.prices:
        text += (
            " Job alone: those seconds at the cluster's rate, what one more run costs on a cluster that is there. With its "
            "cluster: its creation and deletion too, what one run costs by itself; images for a dollar are by that. "
            f"Money is reckoned by {study.prices}."
        )
    else:
        text += " No shape has a price, so that costs are left out."
    return [text]


def _partitions(study: Study) -> list[Node]:
    if not study.several_partitions:
        return []
    return [heading("How many partitions"), partitions_table(study), tried_table(study)]


def _spread(study: Study) -> list[Node]:
    if study.spread is None:
        return []
    bars = spread_bars(study.spread)
    if bars is None:
        return []
    parts: list[Node] = [heading("Where the spread comes from"), bars]
    if not study.spread.repeated:
        parts.append(
            paragraph(
                "No run was repeated: what is called repetition may as well be what shape and partitions do together."
            )
        )
    first = study.spread.first
    if first is not None:
        interval = "" if first.interval is None else f" ({first.interval[0]:.2f} to {first.interval[1]:.2f})"
        parts.append(
            paragraph(
                f"The first run on a cluster takes {first.ratio:.2f}{interval} times as long as the others of its "
                f"combination, by {format_count(first.runs, 'such run')}. First runs are not in the bars."
            )
        )
    parts.append(
        note(
            "Shape and partitions together is what they do beyond each alone. Every combination weighs the same, and what repetitions alone would bring is taken off shape and partitions. A "
            "shape is made as one cluster, so that the luck of that cluster counts as its shape's. Nodes differ within a "
            "run: their bar is of task times, beside the others and not part of them."
        )
    )
    return parts


def _facts(study: Study, run: Run) -> list[tuple[str, Node]]:
    samples = [sample for seen in study.runs for sample in seen.usage]
    facts: list[tuple[str, Node]] = [
        ("Begun", run.started_at),
        ("Order", "shapes at random, and at random the runs on each"),
        ("Clusters made", f"{len(study.clusters)}"),
    ]
    created = [seen.ready_at - seen.asked_at for seen in study.clusters if seen.ready_at is not None]
    if created:
        facts.append(("Until a cluster was ready", _range(created)))
    facts.append(("Use of the machines", _sampled(samples)))
    with_log = sum(seen.log is not None for seen in study.runs)
    facts.append(("Task times", f"Spark's event log, of {with_log} of {len(study.runs)} runs" if with_log else "none"))
    if study.prices:
        facts.append(("Prices", study.prices))
    return facts


def _sampled(samples: Sequence[UsageSample]) -> str:
    sources = sources_of(samples)
    if not sources:
        return "not sampled"
    words = "; ".join(_SOURCES.get(source, source) for source in sources)
    lengths = sorted(sample.seconds for sample in samples)
    return f"{words}, every {format_seconds(lengths[len(lengths) // 2])}"


def _range(values: Sequence[float]) -> str:
    low, high = format_seconds(min(values)), format_seconds(max(values))
    return low if low == high else f"{low} to {high}"


def _there(*parts: Element | None) -> list[Node]:
    return [part for part in parts if part is not None]
