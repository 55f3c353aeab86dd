"""The runs that a page or advice is made from, opened, each with its section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shardmill.operations.report.prepared import prepared_findings, prepared_section
from shardmill.registry import SECTIONS, load
from shardmill.report.advice import UseAdvice, advice
from shardmill.report.evidence import MachineKey, evidence, machine_key, rows_are_among
from shardmill.report.finding import Finding
from shardmill.report.names import section_id
from shardmill.report.section import Section
from shardmill.report.sections.agreement import agreement_section
from shardmill.report.sections.speedtest import of_machines, taken_together
from shardmill.runs import RUN_FILE, Run, open_run


@dataclass(frozen=True, slots=True)
class Part:
    """One run or one data set."""

    folder: str
    name: str
    section: Section
    run: Run | None
    """None for a data set."""


def opened(folders: Sequence[str], *, drawn: bool = True) -> list[Part]:
    """The runs in `folders`, each once, with sections that differ in their ids.

    Args:
        folders: That prepare or a measuring command wrote, or shards of anyone.
        drawn: With contact sheets; else a data set has findings alone.

    Raises:
        UsageError: a run cannot be opened.
        DamageError: a data set is not finished.
    """
    parts: list[Part] = []
    taken: set[str] = set()
    for folder in dict.fromkeys(folders):
        part = _part(folder, drawn)
        id_, number = part.section.id, 2
        while id_ in taken:
            id_, number = f"{part.section.id}-{number}", number + 1
        taken.add(id_)
        parts.append(part if id_ == part.section.id else replace(part, section=part.section.renamed(id_)))
    return parts


def sections_of(parts: Sequence[Part]) -> list[Section]:
    """The sections in order, and behind them what only several runs together tell.

    Several speed tests of one machine advise as one: the first carries the findings of all. A model advises where the
    passes that it was made from are not among them.
    """
    sections = [part.section for part in parts]
    by_machine: dict[MachineKey, list[int]] = {}
    for place, part in enumerate(parts):
        if part.run is not None and part.run.kind == "speedtest":
            by_machine.setdefault(machine_key(part.run), []).append(place)
    for first, *others in by_machine.values():
        if others:
            together = taken_together(_runs(parts, (first, *others)), sections[first].id)
            sections[first] = replace(sections[first], findings=tuple(together))
            for place in others:
                sections[place] = replace(sections[place], findings=())
    machines = [_runs(parts, places) for places in by_machine.values()]
    tests = [run for runs in machines for run in runs]
    for place, part in enumerate(parts):
        if part.run is not None and part.run.kind == "model" and tests and rows_are_among(part.run, tests):
            sections[place] = replace(sections[place], findings=())
    if len(machines) > 1:
        first = next(iter(by_machine.values()))[0]
        further = tuple(of_machines(machines, sections[first].id))
        sections[first] = replace(sections[first], findings=sections[first].findings + further)
    agreed = [one for runs in machines if (one := agreement_section(runs)) is not None]
    return sections + [one.renamed(f"{one.id}-{place}") if place else one for place, one in enumerate(agreed)]


def advice_of(parts: Sequence[Part], sections: Sequence[Section]) -> tuple[UseAdvice, ...]:
    """What all of them advise, and what they cannot tell."""
    runs = [part.run for part in parts if part.run is not None]
    data_sets = [part.folder for part in parts if part.run is None]
    found: list[Finding] = [finding for section in sections for finding in section.findings]
    return advice(found, evidence(runs, data_sets))


def _part(folder: str, drawn: bool) -> Part:
    path = Path(folder).expanduser()
    name = path.resolve().name
    if (path / RUN_FILE).is_file():
        run = open_run(folder)
        maker: Callable[[Run], Section] = load(SECTIONS, "kind of run", run.kind)
        return Part(folder, name, maker(run), run)
    id_ = section_id("prepared", Path(folder).name)
    if drawn:
        return Part(folder, name, prepared_section(folder, id_), None)
    return Part(folder, name, Section(id_, f"Prepared: {name}", (), tuple(prepared_findings(folder, id_))), None)


def _runs(parts: Sequence[Part], places: Sequence[int]) -> list[Run]:
    return [run for place in places if (run := parts[place].run) is not None]
