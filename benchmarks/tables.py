"""Medians, spreads and ratios of timings, as Markdown tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

from contenders import CONTENDERS
from timing import Timing


def spread(values: Iterable[float], digits: int) -> str:
    """The median, and the least and the most where there are several."""
    known = sorted(values)
    middle = f"{statistics.median(known):,.{digits}f}"
    return middle if len(known) == 1 else f"{middle} ({known[0]:,.{digits}f} to {known[-1]:,.{digits}f})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, aligned; the first column is text, the others are figures."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    aligned = [
        [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        for line in (lines[0], rule, *lines[1:])
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in aligned)


def times_table(timings: Sequence[Timing]) -> str:
    """A row a contender."""
    rows = []
    for name in dict.fromkeys(timing.contender for timing in timings):
        own = [timing for timing in timings if timing.contender == name]
        rows.append(
            (
                CONTENDERS[name].title,
                f"{own[0].images:,}",
                spread((timing.steady_rate for timing in own), 0),
                spread((timing.job_rate for timing in own), 0),
                spread((timing.startup_s for timing in own), 1),
                spread((timing.finish_s for timing in own), 1),
                spread((timing.job_s for timing in own), 1),
            )
        )
    return table(("", "files", "steady, images/s", "job, images/s", "start-up, s", "finish, s", "job, s"), rows)


def ratios(timings: Sequence[Timing], ours: str, theirs: str, rate: Callable[[Timing], float]) -> list[float]:
    """How many times as fast as `theirs` is `ours`, round by round."""
    first, second = (
        {timing.round: rate(timing) for timing in timings if timing.contender == name} for name in (ours, theirs)
    )
    return [first[number] / second[number] for number in sorted(first.keys() & second.keys())]


def ratio_table(timings: Sequence[Timing]) -> str:
    """A row for each of ours against each baseline. Whole jobs are compared only where the files are as many."""
    present = dict.fromkeys(timing.contender for timing in timings)
    files = {timing.contender: timing.images for timing in timings}
    rows = []
    for ours in (name for name in present if CONTENDERS[name].ours):
        for theirs in (name for name in present if not CONTENDERS[name].ours):
            whole = ratios(timings, ours, theirs, lambda timing: timing.job_rate)
            rows.append(
                (
                    f"{CONTENDERS[ours].title} / {CONTENDERS[theirs].title}",
                    spread(ratios(timings, ours, theirs, lambda timing: timing.steady_rate), 2),
                    spread(whole, 2) if files[ours] == files[theirs] else "other files",
                )
            )
    return table(("times as fast as", "steady", "whole job"), rows)
