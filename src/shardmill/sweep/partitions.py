"""How many partitions suit a shape: what was tried, how sure the difference is, and why there is one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from shardmill.sweep.cells import CellRuns, by_shape, partitions_words
from shardmill.sweep.compare import Ratio, Repetition, ratio_of, repetition_of
from shardmill.sweep.row import TaskSummary

_IDLE: Final = 0.1
"""Of the stage: from here on, idle cores are worth a word."""
_STRAGGLING: Final = 1.5
"""Longest task over the median one: from here on, it is called a straggler."""
_OVERHEAD: Final = 0.05
"""Of the median task, what sending it about takes: from here on, more partitions are said to cost."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One number of partitions on one shape."""

    partitions: int | None
    """None: what the job chose itself."""
    runs: int
    elapsed_s: float
    """Median."""
    longer: float
    """Than the fastest number of its shape, by geometric means: 0.12 is 12 % longer, 0 for the fastest itself."""
    interval: tuple[float, float] | None
    """95% of `longer`, for all comparisons of the shape together; None without repetitions."""
    waves: float | None
    idle_share: float | None
    straggling: float | None
    overhead_s: float | None
    """Of one task: what sending it and its result about takes."""
    overhead_share: float | None
    """The same as a part of the median task. Medians over the runs, these five."""

    @property
    def told_apart(self) -> bool:
        """It is slower for sure than the fastest."""
        return self.interval is not None and self.interval[0] > 0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to set for one shape."""

    shape: str
    tried: tuple[Tried, ...]
    """From few to many."""
    best: Tried
    """The one suggested."""
    told: bool
    """False: no difference could be told between any that were tried."""
    reason: str
    """In whole sentences."""


def suggestions(cells: Sequence[CellRuns]) -> list[Suggestion]:
    """One for each shape, in the order in which they come.

    Of the numbers that cannot be told apart from the fastest, the smallest that gives every core a task is suggested: it
    costs the least overhead. Differences are of log(elapsed), with the variance of repetitions pooled over the sweep, and
    Bonferroni's correction for the comparisons of a shape.
    """
    repetition = repetition_of([_times(cell) for cell in cells])
    return [_suggestion(shape, own, repetition) for shape, own in by_shape(cells).items()]


def _suggestion(shape: str, cells: Sequence[CellRuns], repetition: Repetition) -> Suggestion:
    fastest = min(cells, key=lambda cell: math.fsum(map(math.log, _times(cell))) / len(cell.rows))
    tried = [
        _tried(cell, ratio_of(_times(cell), _times(fastest), repetition, len(cells) - 1), cell is fastest)
        for cell in cells
    ]
    quickest = tried[cells.index(fastest)]
    best = _chosen(tried, quickest)
    told = any(one.told_apart for one in tried)
    return Suggestion(shape, tuple(tried), best, told, _reason(tried, quickest, best, told))


def _times(cell: CellRuns) -> list[float]:
    return [row.elapsed_s for row in cell.rows]


def _tried(cell: CellRuns, ratio: Ratio, fastest: bool) -> Tried:
    known = [row.tasks for row in cell.rows if row.tasks is not None]

    def middle(values: Sequence[float]) -> float | None:
        return median(values) if values else None

    interval = None if ratio.interval is None or fastest else (ratio.interval[0] - 1, ratio.interval[1] - 1)
    return Tried(
        partitions=cell.cell.partitions,
        runs=len(cell.rows),
        elapsed_s=cell.elapsed_s,
        longer=ratio.value - 1,
        interval=interval,
        waves=middle([tasks.waves for tasks in known]),
        idle_share=middle([tasks.idle_share for tasks in known]),
        straggling=middle([_straggling(tasks) for tasks in known]),
        overhead_s=middle([tasks.scheduler_delay_s for tasks in known]),
        overhead_share=middle([tasks.scheduler_delay_s / tasks.median_s for tasks in known if tasks.median_s > 0]),
    )


def _straggling(tasks: TaskSummary) -> float:
    return tasks.straggling if math.isfinite(tasks.straggling) else 1.0


def _chosen(tried: Sequence[Tried], fastest: Tried) -> Tried:
    if not any(one.interval for one in tried):
        return fastest
    equal = [one for one in tried if not one.told_apart]
    full = [one for one in equal if one.waves is not None and one.waves >= 1]
    return full[0] if full else fastest


def _reason(tried: Sequence[Tried], fastest: Tried, best: Tried, told: bool) -> str:
    if len(tried) == 1:
        return " ".join(["No other number was tried.", *_filling(best)])
    words = []
    if not fastest.interval and not any(one.interval for one in tried):
        words.append("Each was run once, so no difference can be told from chance; this one was the fastest.")
    elif not told:
        widest = max(one.interval[1] for one in tried if one.interval)
        room = f"a factor of {1 + widest:.1f}" if widest >= 1 else f"{widest:.0%}"
        words.append(
            f"No difference could be told between {_listed(tried)}: the runs leave room for up to {room} between them."
        )
        if best.waves is not None and best.waves >= 1:
            words.append("This is the smallest that gives every core a task.")
    else:
        worst = max((one for one in tried if one.told_apart), key=lambda one: one.longer)
        assert worst.interval is not None
        words.append(
            f"{_capital(_named(worst))} takes {_longer(worst.longer, worst.interval, _named(fastest))}{_why(worst)}."
        )
        alike = [one for one in tried if not one.told_apart and one is not best]
        if alike:
            words.append(
                f"{_capital(_listed(alike))} could not be told apart from it."
                if best is fastest
                else _smallest(best, fastest)
            )
    words += _filling(best)
    if (
        best.partitions is not None
        and best is tried[-1]
        and best is fastest
        and told
        and (best.idle_share or 0) > _IDLE
    ):
        words.append("It is the largest that was tried: try more.")
    return " ".join(words)


def _smallest(best: Tried, fastest: Tried) -> str:
    return f"{_capital(_named(best))} could not be told apart from {_named(fastest)}, and has fewer tasks to start."


def _longer(longer: float, interval: tuple[float, float], other: str) -> str:
    low, high = interval
    if longer >= 1:
        return f"{1 + longer:.1f} times ({1 + low:.1f} to {1 + high:.1f}) as long as {other}"
    return f"{longer:.0%} longer ({low:.0%} to {high:.0%}) than {other}"


def _why(one: Tried) -> str:
    """What the slower number does to the cores."""
    if one.waves is not None and one.waves < 1:
        return f": it has tasks for {one.waves:.0%} of the cores"
    if one.straggling is not None and one.straggling >= _STRAGGLING and (one.idle_share or 0) >= _IDLE:
        return f": its longest task takes {one.straggling:.1f} times the median one"
    if one.idle_share is not None and one.idle_share >= _IDLE:
        return f": its last wave leaves {one.idle_share:.0%} of the cores' time idle"
    if one.overhead_share is not None and one.overhead_share >= _OVERHEAD:
        return f": sending its tasks about takes {one.overhead_share:.0%} of their time"
    return ""


def _filling(best: Tried) -> list[str]:
    if best.waves is None or best.idle_share is None or best.overhead_s is None:
        return []
    waves = "one wave" if best.waves == 1 else f"{best.waves:.3g} waves"
    costs = f"costs {1000 * best.overhead_s:.0f} ms a task to send about"
    idle = f"leaves {best.idle_share:.0%} of the cores' time in the stage idle"
    return [f"{_capital(_named(best))} makes {waves} of tasks, {idle}, and {costs}."]


def _named(one: Tried) -> str:
    return partitions_words(one.partitions)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _listed(several: Sequence[Tried]) -> str:
    names = [partitions_words(one.partitions) for one in several]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
