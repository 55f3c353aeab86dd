"""`shardmill advise`: what to do, from measurements alone, and what they cannot tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shardmill.arguments import checked
from shardmill.errors import UsageError
from shardmill.operations.report.parts import advice_of, opened, sections_of
from shardmill.report.advice import UseAdvice
from shardmill.report.finding import Finding
from shardmill.shown import Shown
from shardmill.units import format_count, printable


@dataclass(frozen=True, slots=True)
class AdviseResult(Shown):
    """What was found and what could not be told, by use."""

    runs: tuple[str, ...]
    uses: tuple[UseAdvice, ...]
    """Batch jobs, streaming, what limits, what it costs, and how far to trust it, as far as there is something to say."""


@checked
def advise(*runs: str) -> AdviseResult:
    """Say what to do, from measurements alone: for batch jobs and for streaming, each with its number and its uncertainty.

    Of what can be chosen (format, shard size, batch size, parallel reads, partitions, shape, disk) it also says what it cannot
    tell, for want of which measurement, and the command that supplies it.

    Args:
        runs: Folders that prepare, speedtest, model, sweep or pick wrote, or shards of anyone.

    Returns:
        Sentences by use, with their numbers, and what is missing.

    Raises:
        UsageError: a run cannot be opened.
        DamageError: a data set is not finished.
    """
    if not runs:
        raise UsageError("name at least one run: a folder that prepare, speedtest, model, sweep or pick wrote.")
    parts = opened(runs, drawn=False)
    return AdviseResult(tuple(dict.fromkeys(runs)), advice_of(parts, sections_of(parts)))


def lines(result: AdviseResult) -> list[str]:
    """The result for people."""
    text = []
    for one in result.uses:
        text += ["", f"{one.title}: {one.explanation}"]
        for finding in one.findings:
            text += _finding(finding)
        if one.gaps:
            text.append("  could not be told:")
        for gap in one.gaps:
            text.append(f"    {gap.sentence}")
            text += [f"      $ {command}" for command in gap.commands]
    counts = sum(len(one.findings) for one in result.uses), sum(len(one.gaps) for one in result.uses)
    of = f"{format_count(counts[0], 'finding')} from {format_count(len(result.runs), 'run')}"
    return [printable(line) for line in [of, *text]]


def _finding(finding: Finding) -> Iterator[str]:
    yield f"  {finding.figure:>14}  {finding.sentence}"
    if finding.range:
        yield f"{'':>18}{finding.level}: {finding.range}"
    elif finding.topics:
        yield f"{'':>18}no interval"
