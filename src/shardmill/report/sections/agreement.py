"""Whether speed tests of the same grid agree: the medians of each combination that two or more of them have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from shardmill.model.observations import counted
from shardmill.report.finding import Finding
from shardmill.report.html import Node
from shardmill.report.plot.marks import HUE_OF, legend
from shardmill.report.plot.scale import Axis
from shardmill.report.plot.xy import Level, Mark, Series, xy_figure
from shardmill.report.section import Section, figure, table
from shardmill.runs import Run
from shardmill.speedtest.record import Cell, read_measurements
from shardmill.units import format_count

CLOSE: Final = 0.10
"""Medians that differ by no more agree."""
_FEWEST: Final = 3
_ID: Final = "agreement"
_Z: Final = 1.959964


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two runs, cell by cell."""

    first: str
    second: str
    cells: tuple[tuple[Cell, float, float], ...]
    """Combinations that both have, with the median images/s of each."""

    @property
    def close(self) -> int:
        """Combinations whose medians differ by at most `CLOSE` of the smaller one."""
        return sum(max(one, other) / min(one, other) - 1 <= CLOSE for _, one, other in self.cells)


def agreements(runs: Sequence[Run]) -> list[Agreement]:
    """The first run with each of the others, where they have at least three combinations in common, by the same engine."""
    if len(runs) < 2:
        return []
    medians = [_medians(run) for run in runs]
    found = []
    for run, theirs in zip(runs[1:], medians[1:], strict=True):
        common = sorted(key for key in medians[0] if key in theirs)
        if len(common) >= _FEWEST:
            cells = tuple((cell, medians[0][cell, engine], theirs[cell, engine]) for cell, engine in common)
            found.append(Agreement(runs[0].path.name, run.path.name, cells))
    return found


def agreement_section(runs: Sequence[Run]) -> Section | None:
    """What `agreements` says; None where there is nothing to compare."""
    found = agreements(runs)
    if not found:
        return None
    parts: list[Node] = []
    findings = []
    for one in found:
        parts.append(_figure(one))
        share = one.close / len(one.cells)
        low, high = wilson(one.close, len(one.cells))
        findings.append(
            Finding(
                "measured-again",
                "trust",
                f"Measured again, {one.close:,} of {format_count(len(one.cells), 'combination')} have a median within {CLOSE:.0%} of the "
                f"first time ({one.first} and {one.second}).",
                share * 100,
                "%",
                (low * 100, high * 100),
                _ID,
            )
        )
    return Section(
        _ID, "Do the runs agree?", tuple(parts), tuple(findings), "Medians of the combinations that two runs share."
    )


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95% interval of a share, which stays within 0 and 1.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    share, square = hits / of, _Z**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _medians(run: Run) -> Mapping[tuple[Cell, str], float]:
    rates: dict[tuple[Cell, str], list[float]] = {}
    for row in read_measurements(run.path):
        if counted(row):
            rates.setdefault((row.cell, row.engine), []).append(row.images_per_s)
    return {key: median(values) for key, values in rates.items()}


def _figure(one: Agreement) -> Node:
    by_format: dict[str, list[Mark]] = {}
    rows = []
    for cell, first, second in one.cells:
        words = f"{cell.dataset}, {cell.reader}, {cell.num_batches} batches of {cell.batch_size}"
        change = second / first - 1
        tip = f"{words}\n{first:,.0f} then {second:,.0f} images/s, {change:+.1%}"
        by_format.setdefault(cell.format, []).append(Mark(first, second / first * 100, tip))
        rows.append(
            (
                words,
                f"{cell.parallel_reads}",
                f"{cell.concurrency}",
                cell.cache,
                f"{first:,.0f}",
                f"{second:,.0f}",
                f"{change:+.1%}",
            )
        )
    series = [Series(name, HUE_OF.get(name, 4), (), tuple(marks)) for name, marks in by_format.items()]
    caption = f"Median of each combination in {one.second}, as a share of that in {one.first}."
    drawn = xy_figure(
        series,
        Axis(f"images/s in {one.first}", "log"),
        Axis("% of the first median"),
        description=f"{caption} {one.close} of {len(one.cells)} lie within 10%.",
        levels=(Level(90, "10% below"), Level(110, "10% above")),
        dodge=0,
    )
    columns = ("combination", "parallel reads", "readers", "cache", "first", "second", "change")
    behind = table(columns, rows, caption=caption, numeric=(1, 2, 4, 5, 6))
    return figure(drawn, caption, behind, legend=legend([(each.name, each.hue) for each in series]))
