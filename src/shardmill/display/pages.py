"""Reports and advice."""

from __future__ import annotations

from shardmill.display.frame import file_link, framed
from shardmill.operations.report.advise import AdviseResult
from shardmill.operations.report.run import ReportResult
from shardmill.report.html import Node
from shardmill.report.page import advice_parts, findings_list, leading
from shardmill.report.section import note, paragraph
from shardmill.units import format_bytes, format_count


def reported(result: ReportResult) -> str:
    """Where the page is, and what it found."""
    parts: list[Node] = [paragraph(file_link(result.page), f", {format_bytes(result.bytes)}")]
    if result.findings:
        parts.append(findings_list(leading(result.findings), {}))
        parts.append(
            note(f"{format_count(len(result.findings), 'finding')} in all: in the page, and in result.findings.")
        )
    else:
        parts.append(note("There is nothing in it to act on."))
    return framed(f"A report of {format_count(len(result.runs), 'run')}", parts)


def advised(result: AdviseResult) -> str:
    """What to do, by use, and what could not be told."""
    return framed(f"Advice from {format_count(len(result.runs), 'run')}", advice_parts(result.uses, {}))
