"""The section of a speed test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shardmill.errors import UsageError
from shardmill.model.analysis import ArmAnalysis
from shardmill.report.finding import Finding
from shardmill.report.html import Node
from shardmill.report.names import section_id
from shardmill.report.section import Section, heading, note
from shardmill.report.throughput.findings import findings
from shardmill.report.throughput.findings.machines import machine_findings
from shardmill.report.throughput.models import model_parts
from shardmill.report.throughput.plots import first_batch, in_order, over_batch_size, over_factor
from shardmill.report.throughput.study import Study, read_sets, study
from shardmill.report.throughput.tables import (
    cache_evidence,
    machine_facts,
    ratio_figure,
    roofline_figure,
    spread_table,
)
from shardmill.runs import Run
from shardmill.speedtest.record import Measurement, read_measurements
from shardmill.units import format_count


def section(run: Run) -> Section:
    """What a speed test found.

    Raises:
        UsageError: the run holds no pass that counts.
    """
    rows = read_measurements(run.path)
    found = study(rows, int(run.machine.get("cores") or 1), read_sets([run]))
    if not found.arms:
        raise UsageError(f"{run.path} holds no pass that counts; let speedtest measure again, then report it.")
    name = section_id("speedtest", run.path.name)
    parts: list[Node] = [heading("Throughput")]
    for words, arms in found.alike():
        parts.append(over_batch_size(found, arms, words))
        for factor in ("parallel_reads", "concurrency"):
            drawn = over_factor(found, arms, factor, words)
            if drawn is not None:
                parts.append(drawn)
    if found.analysis.ratios:
        parts += [heading("Shards against source files"), ratio_figure(found, found.analysis.ratios)]
    parts += [heading("The first batch"), *(first_batch(found, arms, words) for words, arms in found.alike())]
    parts += [heading("What limits"), roofline_figure(found, _decoded(found))]
    parts += [heading("Spread and caches"), in_order(found, found.arms), spread_table(found), cache_evidence(rows)]
    parts += [heading("Models"), *model_parts(found.analysis)]
    parts += [heading("Machine"), machine_facts(run.machine, run.request), *_versions(rows)]
    return Section(
        id=name,
        title=f"Speed test: {run.path.name}",
        parts=tuple(parts),
        findings=tuple(findings(found, name)),
        lead=_lead(found, run),
    )


def taken_together(runs: Sequence[Run], source: str) -> list[Finding]:
    """The findings of several speed tests of one machine, as if they were one, so that advice is given once.

    Args:
        runs: In the order in which they were made.
        source: Id of the section that shows them.
    """
    return findings(_together(runs), source)


def of_machines(machines: Sequence[Sequence[Run]], source: str) -> list[Finding]:
    """What speed tests of several machines tell beside each other.

    Args:
        machines: The speed tests of each machine.
        source: Id of the section that shows the first of them.
    """
    return list(machine_findings([(_machine(runs[0]), _together(runs)) for runs in machines], source))


def _together(runs: Sequence[Run]) -> Study:
    rows: list[Measurement] = []
    for run in runs:
        begun = 1 + max((row.position for row in rows), default=-1)
        rows += [replace(row, position=row.position + begun) for row in read_measurements(run.path)]
    return study(rows, max(int(run.machine.get("cores") or 1) for run in runs), read_sets(runs))


def _machine(run: Run) -> str:
    return f"{run.machine.get('host', 'an unnamed host')} ({format_count(int(run.machine.get('cores') or 1), 'core')})"


def _decoded(found: Study) -> Sequence[ArmAnalysis]:
    return [one for one in found.arms if one.arm.decode] or found.arms


def _lead(found: Study, run: Run) -> str:
    analysis = found.analysis
    cells = sum(len(one.seen.cells) for one in found.arms)
    left = f", {analysis.not_as_asked:,} left out" if analysis.not_as_asked else ""
    return (
        f"{format_count(analysis.rows, 'timed pass')} over {format_count(cells, 'combination')}, in random order, begun "
        f"{run.started_at.replace('T', ' ').removesuffix('Z')} UTC; {format_count(analysis.warm_ups, 'warm-up')} apart{left}."
    )


def _versions(rows: Sequence[Measurement]) -> list[Node]:
    """A remark where the rows were measured with several versions of something."""
    if len({row.versions for row in rows}) < 2:
        return []
    return [note("The passes were measured with more than one set of versions; compare them with care.")]
