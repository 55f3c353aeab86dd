"""The section of a run of `model`."""

from __future__ import annotations

from shardmill.report.names import section_id
from shardmill.report.section import Section
from shardmill.report.throughput.findings import findings
from shardmill.report.throughput.models import model_parts
from shardmill.report.throughput.study import study
from shardmill.runs import Run
from shardmill.speedtest.record import read_measurements
from shardmill.units import format_count


def section(run: Run) -> Section:
    """The models of the rows that the run took together; the numbers are those of its `model.json`."""
    found = study(read_measurements(run.path), int(run.request.get("cores") or 1))
    name = section_id("model", run.path.name)
    runs = run.request.get("runs") or []
    return Section(
        id=name,
        title=f"Models: {run.path.name}",
        parts=tuple(model_parts(found.analysis)),
        findings=tuple(findings(found, name)),
        lead=f"Of {format_count(found.analysis.rows, 'timed pass')} from {format_count(len(runs), 'speed test')}.",
    )
