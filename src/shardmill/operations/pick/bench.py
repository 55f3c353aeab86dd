"""`shardmill bench-pick`: the table that papers print, over traces of measured runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final, Literal

import numpy as np

from shardmill.arguments import checked
from shardmill.errors import UsageError
from shardmill.machine import available_cores
from shardmill.registry import SEARCH_STRATEGIES, load
from shardmill.search.base import Goal, Objective
from shardmill.search.bench import Search, Summary, run_search, summarise
from shardmill.search.replay import workloads
from shardmill.shown import Shown
from shardmill.traces import TraceRow, read_trace
from shardmill.units import format_count, format_seconds, in_range, printable

_SEEDS_A_TASK: Final = 5

Failures = Literal["paid", "left-out"]


@dataclass(frozen=True, slots=True)
class BenchPickResult(Shown):
    """How each strategy did."""

    traces: tuple[str, ...]
    seeds: int
    objective: str
    within: float
    sure: float
    failures: str
    deadline_percentiles: tuple[float, ...]
    workloads: int
    table: tuple[Summary, ...]
    """A row for each trace and strategy, over its workloads."""
    by_workload: tuple[Summary, ...]
    elapsed_s: float


@checked
def bench_pick(
    *traces: str,
    seeds: int = 20,
    strategy: Sequence[str] = (),
    objective: Objective = "cost",
    deadline_percentile: Sequence[float] = (),
    within: float = 10.0,
    sure: float = 90.0,
    failures: Failures = "paid",
    history: Sequence[str] = (),
    workers: int | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> BenchPickResult:
    """Replay traces of measured runs with each search strategy, and count how many trials and how much money it needs.

    Oracle counts (trials until one was within 20 %, 10 % of the best shape, and at it) compare strategies; what a user
    gets stands beside them: each strategy stopped by its own rule. A failed trial counts as a run.

    Args:
        traces: CSV files that sweep wrote.
        seeds: Searches of each workload with each strategy.
        strategy: Only these; by default all.
        objective: What to make small: the cost of a run, or its time.
        deadline_percentile: Give each search a deadline at this percentile of the workload's run times; may be repeated.
        within: Per cent from the best shape that counts as good enough.
        sure: Per cent of probability with which it must be.
        failures: Whether a shape whose runs failed can be tried, is paid for and counts as a run, or is left out of the
            shapes from the start, as papers do, which no user can.
        history: CSV files of other workloads whose runs are known before the search; a workload is never its own history.
        workers: Processes; by default one for each core.
        on_progress: Called with (searches done, of, trials).

    Returns:
        The table, over all workloads of each trace and for each workload.

    Raises:
        UsageError: a trace cannot be read, or an option makes no sense.
    """
    started = time.monotonic()
    if not traces:
        raise UsageError("name at least one trace: a CSV file that sweep wrote.")
    in_range("--seeds", seeds, 1)
    names = tuple(strategy) or tuple(SEARCH_STRATEGIES)
    for name in names:
        load(SEARCH_STRATEGIES, "strategy", name)
    for percentile in deadline_percentile:
        in_range("--deadline-percentile", percentile, 0, 100)
    goal = goal_of(within, sure)
    loaded = [(Path(trace).stem, workload, rows) for trace in traces for workload, rows in _workloads(trace, failures)]
    known = tuple(rows for trace in history for _, rows in _workloads(trace, "paid"))
    tasks = [
        _Task(
            stem, rows, name, tuple(range(first, min(first + _SEEDS_A_TASK, seeds))), deadline, objective, goal, known
        )
        for stem, _, rows in loaded
        for name in names
        for deadline in _deadlines(rows, deadline_percentile)
        for first in range(0, seeds, _SEEDS_A_TASK)
    ]
    searches: list[tuple[str, Search]] = []
    total = sum(len(task.seeds) for task in tasks)
    runs = 0
    for task, found in zip(
        tasks, _searched(tasks, in_range("--workers", workers or available_cores(), 1)), strict=True
    ):
        searches += [(task.stem, one) for one in found]
        runs += sum(len(one.curve) for one in found)
        if on_progress is not None:
            on_progress(len(searches), total, runs)
    stems = list(dict.fromkeys(stem for stem, _, _ in loaded))
    return BenchPickResult(
        traces=tuple(traces),
        seeds=seeds,
        objective=objective,
        within=within,
        sure=sure,
        failures=failures,
        deadline_percentiles=tuple(deadline_percentile),
        workloads=len(loaded),
        table=tuple(
            summarise([one for at, one in searches if at == stem and one.strategy == name], stem)
            for stem in stems
            for name in names
        ),
        by_workload=tuple(
            summarise(
                [one for at, one in searches if (at, one.strategy, one.workload) == (stem, name, workload)], workload
            )
            for stem, workload, _ in loaded
            for name in names
        ),
        elapsed_s=time.monotonic() - started,
    )


def goal_of(within: float, sure: float) -> Goal:
    """Per cent, as people write them, to a goal.

    Raises:
        UsageError: they are none.
    """
    if not 0 < sure < 100:
        raise UsageError(f"--sure is {sure}; it takes per cent between 0 and 100, such as 90")
    return Goal(in_range("--within", within, 0, 1000) / 100, sure / 100)


@dataclass(frozen=True, slots=True)
class _Task:
    stem: str
    rows: tuple[TraceRow, ...]
    strategy: str
    seeds: tuple[int, ...]
    deadline_s: float | None
    objective: Objective
    goal: Goal
    history: tuple[tuple[TraceRow, ...], ...]


def _workloads(trace: str, failures: Failures) -> list[tuple[str, tuple[TraceRow, ...]]]:
    rows = read_trace(trace)
    kept = rows if failures == "paid" else [row for row in rows if row.status == "ok"]
    if not kept:
        raise UsageError(f"no run of {printable(trace)} ended well, so that nothing is left with --failures left-out.")
    return list(workloads(kept).items())


def _deadlines(rows: Sequence[TraceRow], percentiles: Sequence[float]) -> list[float | None]:
    times = [row.runtime_s for row in rows if row.status == "ok" and row.runtime_s is not None]
    if percentiles and not times:
        raise UsageError(
            f"no run of {printable(rows[0].workload)} ended well, so that its run times have no percentile."
        )
    return [float(np.percentile(times, percentile)) for percentile in percentiles] or [None]


def _searched(tasks: Sequence[_Task], workers: int) -> Iterator[list[Search]]:
    if workers == 1:
        yield from map(_work, tasks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_work, tasks)


def _work(task: _Task) -> list[Search]:
    search = partial(
        run_search,
        task.rows,
        task.strategy,
        objective=task.objective,
        deadline_s=task.deadline_s,
        goal=task.goal,
        history=[rows for rows in task.history if rows[0].workload != task.rows[0].workload],
    )
    return [search(seed=seed) for seed in task.seeds]


def lines(result: BenchPickResult) -> list[str]:
    """The table for people."""
    limited = ""
    if result.deadline_percentiles:
        limited = ", deadlines at the percentiles " + ", ".join(f"{one:g}" for one in result.deadline_percentiles)
    columns = (
        f"{'strategy':<12}{'<20%':>8}{'<10%':>8}{'best':>8}   {'runs':>5}{'mean':>8}{'p90':>8}{'at best':>9}{'cost':>7}"
    )
    columns += f"{'says so':>9}{'true':>6}"
    head = f"{format_count(result.workloads, 'workload')}, {format_count(result.seeds, 'seed')}, {result.objective}{limited}"
    text = [
        f"{head}; {format_seconds(result.elapsed_s)}",
        "",
        f"{'':<12}{'runs until a trial was':^24}   stopped by its own rule",
        columns + (f"{'in time':>9}" if limited else ""),
    ]
    trace = ""
    for row in result.table:
        if row.workload != trace:
            trace = row.workload
            text.append(f"{printable(trace)}:")
        text.append(_row(row, bool(limited)))
    counted = "failed ones too" if result.failures == "paid" else "shapes that fail left out of the list"
    text += [
        "",
        f"  runs, <20%, <10%, best: trials paid for, {counted}; mean, p90: what the pick costs over the best shape",
        "  cost: of the search, over that of trying every shape",
        f'  says so, true: searches that said "within {result.within:g} % with {result.sure:g} % probability" within ten runs,',
        "  and how often that was true of all that ever said it",
    ]
    return text


def _row(row: Summary, limited: bool) -> str:
    said = (
        f"{row.said_share:>9.0%}{row.said_true:>6.0%}"
        if row.said_share is not None and row.said_true is not None
        else f"{'-':>9}{'-':>6}"
    )
    return (
        f"  {row.strategy:<10}{row.runs_to_20:>8.1f}{row.runs_to_10:>8.1f}{row.runs_to_optimum:>8.1f}   {row.runs_used:>5.1f}"
        f"{_percent(row.mean_over_optimum)}{_percent(row.p90_over_optimum)}{row.share_at_optimum:>9.0%}{row.search_share:>7.1%}"
        f"{said}" + (f"{row.keeps_limits:>9.0%}" if limited else "")
    )


def _percent(value: float) -> str:
    return f"{'-':>8}" if math.isnan(value) else f"{value:>8.1%}"
