"""`shardmill report`: one self-contained page of what runs found, with what to do about it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import shardmill
from shardmill.arguments import checked
from shardmill.errors import UsageError
from shardmill.operations.report.prepared import prepared_section
from shardmill.registry import SECTIONS, load
from shardmill.report.finding import Finding
from shardmill.report.names import section_id
from shardmill.report.page import Page, render
from shardmill.report.section import Section
from shardmill.report.sections.agreement import agreement_section
from shardmill.report.sections.speedtest import taken_together
from shardmill.runs import RUN_FILE, Run, open_run
from shardmill.units import format_count

_OURS: Final = 'name="generator" content="shardmill '


@dataclass(frozen=True, slots=True)
class ReportResult:
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
    parts = [_Part.of(folder) for folder in dict.fromkeys(runs)]
    sections = _apart(parts)
    _advise_once(parts, sections)
    agreement = agreement_section([part.run for part in parts if part.run is not None and part.run.kind == "speedtest"])
    if agreement is not None:
        sections.append(agreement)
    page = Page(
        title=title or _title([part.name for part in parts]),
        summary=_summary(len(parts), [part.run for part in parts if part.run is not None]),
        sections=tuple(sections),
        version=shardmill.__version__,
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


@dataclass(frozen=True, slots=True)
class _Part:
    """One run of the page."""

    name: str
    section: Section
    run: Run | None
    """None for a data set."""

    @classmethod
    def of(cls, folder: str) -> _Part:
        name = Path(folder).expanduser().resolve().name
        if (Path(folder).expanduser() / RUN_FILE).is_file():
            run = open_run(folder)
            maker: Callable[[Run], Section] = load(SECTIONS, "kind of run", run.kind)
            return cls(name, maker(run), run)
        return cls(name, prepared_section(folder, section_id("prepared", Path(folder).name)), None)


def _title(names: list[str]) -> str:
    if len(names) > 3:
        names = [*names[:2], f"{len(names) - 2} more"]
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]


def _advise_once(parts: list[_Part], sections: list[Section]) -> None:
    """Several speed tests of one machine advise as one: the first carries the findings of all."""
    by_machine: dict[tuple[Any, Any, Any], list[int]] = {}
    for place, part in enumerate(parts):
        if part.run is not None and part.run.kind == "speedtest":
            facts = part.run.machine
            by_machine.setdefault((facts.get("host"), facts.get("cpu"), facts.get("cores")), []).append(place)
    for first, *others in by_machine.values():
        if others:
            runs = [run for place in (first, *others) if (run := parts[place].run) is not None]
            together = tuple(taken_together(runs, sections[first].id))
            sections[first] = replace(sections[first], findings=together)
            for place in others:
                sections[place] = replace(sections[place], findings=())


def _summary(count: int, runs: list[Run]) -> str:
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    hosts = list(dict.fromkeys(_machine(run.machine) for run in runs))
    return f"Made {made} from {format_count(count, 'run')}" + (f", measured on {'; '.join(hosts)}." if hosts else ".")


def _machine(facts: dict[str, Any]) -> str:
    cores = format_count(int(facts.get("cores", 0)), "core")
    return f"{facts.get('host', 'an unnamed host')} ({cores}, {facts.get('cpu', 'unknown processor')})"


def _apart(parts: list[_Part]) -> list[Section]:
    """The sections with ids of their own, where two runs have the same name."""
    taken: set[str] = set()
    apart = []
    for section in (part.section for part in parts):
        id_, number = section.id, 2
        while id_ in taken:
            id_, number = f"{section.id}-{number}", number + 1
        taken.add(id_)
        apart.append(section if id_ == section.id else section.renamed(id_))
    return apart


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
