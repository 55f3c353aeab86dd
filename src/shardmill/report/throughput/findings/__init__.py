"""What to do, each sentence computed from the rows: for batch jobs, for streaming, about hardware, and how far to trust it."""

from __future__ import annotations

from shardmill.report.finding import Finding
from shardmill.report.throughput.findings.batch import batch_findings
from shardmill.report.throughput.findings.hardware import hardware_findings
from shardmill.report.throughput.findings.streaming import streaming_findings
from shardmill.report.throughput.findings.trust import trust_findings
from shardmill.report.throughput.study import Study


def findings(study: Study, source: str) -> list[Finding]:
    """Everything that these rows advise.

    Args:
        study: The rows and their analysis.
        source: Id of the section that shows them.
    """
    decoded = [one for one in study.arms if one.arm.decode] or list(study.arms)
    if not decoded:
        return []
    return [
        *batch_findings(study, decoded, source),
        *streaming_findings(study, decoded, source),
        *hardware_findings(study, decoded, source),
        *trust_findings(study, source),
    ]
