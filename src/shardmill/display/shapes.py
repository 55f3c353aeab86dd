"""Searches for a cluster shape, and how well strategies search."""

from __future__ import annotations

import math
from dataclasses import asdict

from shardmill.display.frame import framed
from shardmill.errors import ShardmillError
from shardmill.operations.pick.bench import BenchPickResult
from shardmill.operations.pick.result import PickResult
from shardmill.operations.sweep.result import SweepResult
from shardmill.report.html import Node
from shardmill.report.plot.bars import Bar, bars
from shardmill.report.quantity import quantity
from shardmill.report.section import figure, note, table
from shardmill.report.sections.pick import pick_parts
from shardmill.report.sections.sweep import section as sweep_section
from shardmill.report.shapes.bill import bill
from shardmill.report.shapes.plots import time_and_cost
from shardmill.report.shapes.study import read_study
from shardmill.runs import Run, open_run
from shardmill.sweep.simulation.record import load
from shardmill.units import format_count, format_seconds


def picked(result: PickResult) -> str:
    """The pick, what is believed of each shape, and the runs that were paid for."""
    chosen = f"{result.workload}: pick {result.best}" if result.best is not None else f"{result.workload}: no pick"
    return framed(chosen, pick_parts(asdict(result)))


def swept(result: SweepResult) -> str:
    """The bill of each shape, and time against cost; of a dry run, what it would make."""
    if result.dry_run:
        rows = [
            (
                one.shape,
                f"{one.runs:,}",
                format_seconds(one.seconds),
                "" if one.usd is None else quantity(one.usd, "$"),
            )
            for one in result.plan
        ]
        plan = table(("shape", "runs", "time", "cost"), rows, caption="What it would make", numeric=(1, 2, 3))
        return framed(f"{result.workload}: {format_count(result.left, 'run')} to make", [plan])
    try:
        parts = _of_sweep(open_run(result.out))
    except ShardmillError as error:  # none has ended well, or the folder is gone
        parts = [note(str(error))]
    notes = [note(each) for each in result.notes]
    left = f", {result.left:,} left to make" if result.left else ""
    return framed(f"{result.workload}: {format_count(result.runs, 'run')}{left}", [*parts, *notes])


def _of_sweep(run: Run) -> list[Node]:
    if load(run.path) is not None:  # predicted
        return list(sweep_section(run).parts)
    study = read_study(run)
    return [bill(study), time_and_cost(study)]


def bench_picked(result: BenchPickResult) -> str:
    """The table, and how many runs each strategy made until it stopped."""
    parts: list[Node] = []
    traces = list(dict.fromkeys(row.workload for row in result.table))
    for trace in traces:
        members = [row for row in result.table if row.workload == trace]
        name = f"{trace}: " if len(traces) > 1 else ""
        caption = f"{name}runs until a trial was within 10% of the best shape, on average"
        entries = [Bar(row.strategy, row.runs_to_10, f"{row.runs_to_10:.1f}") for row in members]
        rows = [
            (
                row.strategy,
                f"{row.runs_to_20:.1f}",
                f"{row.runs_to_10:.1f}",
                f"{row.runs_to_optimum:.1f}",
                f"{row.runs_used:.1f}",
                _percent(row.mean_over_optimum),
                _percent(row.p90_over_optimum),
                f"{row.share_at_optimum:.0%}",
                f"{row.search_share:.1%}",
                "" if row.said_true is None else f"{row.said_true:.0%}",
            )
            for row in members
        ]
        columns = (
            "strategy", "runs to 20%", "to 10%", "to the best", "runs made", "mean over best", "nine in ten", "at the best",
            "search cost", "right when sure",
        )  # fmt: skip
        parts += [
            figure(bars(entries, description=caption), caption),
            table(columns, rows, caption=f"{name}strategies", numeric=range(1, 10)),
        ]
    parts.append(
        note(
            "Runs made, mean and nine in ten over the best, and cost, as a share of trying every shape, are of searches that each "
            "strategy's own rule stopped."
        )
    )
    title = f"{format_count(result.workloads, 'workload')}, {format_count(result.seeds, 'seed')}, {result.objective}"
    return framed(f"{title}; {format_seconds(result.elapsed_s)}", parts)


def _percent(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1%}"
