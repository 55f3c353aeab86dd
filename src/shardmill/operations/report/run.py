"""`shardmill report`: one self-contained page of what runs found, with what to do about it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import shardmill
from shardmill.arguments import checked
from shardmill.errors import UsageError
from shardmill.operations.report.parts import advice_of, opened, sections_of
from shardmill.report.finding import Finding
from shardmill.report.page import Page, render
from shardmill.runs import Run
from shardmill.shown import Shown
from shardmill.units import format_count

_OURS: Final = 'name="generator" content="shardmill '


@dataclass(frozen=True, slots=True)
class ReportResult(Shown):
    """The page that was written."""

    page: str
    """Its file."""
    bytes: int
    runs: tuple[str, ...]
    findings: tuple[Finding, ...]


@checked
def report(*runs: str, output: str = "report.html", title: str | None = None) -> ReportResult:
    """Write one page from any set of runs: what was prepared, measured, modelled, and what to do about it.

    The page is a single HTML file that opens from disk, without a network.

    Args:
        runs: Folders that prepare, speedtest, model, sweep or pick wrote, or shards of anyone, in the page's order.
        output: File for the page.
        title: Heading of the page; by default made from the runs.

    Returns:
        Where the page is, and the findings on it.

    Raises:
        UsageError: a run cannot be opened, or the page cannot be written.
        DamageError: a data set is not finished.
    """
    if not runs:
        raise UsageError("name at least one run: a folder that prepare, speedtest, model, sweep or pick wrote.")
    target = _writable(Path(output).expanduser())
    parts = opened(runs)
    sections = sections_of(parts)
    page = Page(
        title=title or _title([part.name for part in parts]),
        summary=_summary(len(parts), [part.run for part in parts if part.run is not None]),
        sections=tuple(sections),
        version=shardmill.__version__,
        advice=advice_of(parts, sections),
    )
    size = _save(render(page), target)
    findings = tuple(finding for section in page.sections for finding in section.findings)
    return ReportResult(str(target), size, tuple(dict.fromkeys(runs)), findings)


def lines(result: ReportResult) -> list[str]:
    """The result for people."""
    counted = format_count(len(result.findings), "finding")
    text = [f"{counted} from {format_count(len(result.runs), 'run')}"]
    text += [f"  {finding.figure:>14}  {finding.sentence}" for finding in result.findings]
    return [*text, f"report: {result.page}"]


def _title(names: list[str]) -> str:
    if len(names) > 3:
        names = [*names[:2], f"{len(names) - 2} more"]
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]


def _summary(count: int, runs: list[Run]) -> str:
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    hosts = list(dict.fromkeys(_machine(run.machine) for run in runs))
    return f"Made {made} from {format_count(count, 'run')}" + (f", measured on {'; '.join(hosts)}." if hosts else ".")


def _machine(facts: dict[str, Any]) -> str:
    cores = format_count(int(facts.get("cores", 0)), "core")
    return f"{facts.get('host', 'an unnamed host')} ({cores}, {facts.get('cpu', 'unknown processor')})"


def _writable(target: Path) -> Path:
    """`target`, if nothing is there but an earlier report."""
    if target.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--output {target} is no page; give a name that ends in .html")
    try:
        with target.open("rb") as file:
            head = file.read(2048).decode("utf-8", "replace")
    except FileNotFoundError:
        return target
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}. Choose another file with --output.") from error
    if _OURS not in head:
        raise UsageError(f"{target} is there and is no report of shardmill; choose another file with --output.")
    return target


def _save(text: str, target: Path) -> int:
    """Whole or not at all."""
    content = text.encode("utf-8")
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        scratch.write_bytes(content)
        scratch.replace(target)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise UsageError(f"cannot write {target}: {error.strerror}. Choose another file with --output.") from error
    return len(content)
