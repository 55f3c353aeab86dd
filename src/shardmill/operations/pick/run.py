"""`shardmill pick`: the cheapest (or fastest) cluster shape, in as few paid trial runs as possible."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from shardmill.arguments import checked
from shardmill.errors import UsageError
from shardmill.operations.pick.bench import goal_of
from shardmill.operations.pick.result import PickResult, result_of, step_lines
from shardmill.operations.pick.state import SearchState
from shardmill.search.base import MARGIN, Objective, Problem
from shardmill.search.experience import make_strategy
from shardmill.search.loop import Limits, Step, search
from shardmill.search.replay import Replay, one_workload, workloads
from shardmill.traces import TraceRow, read_trace
from shardmill.units import in_range


@checked
def pick(
    *,
    trace: str | None = None,
    workload: str | None = None,
    objective: Objective = "cost",
    deadline: float | None = None,
    max_run_cost: float | None = None,
    budget: float | None = None,
    max_runs: int | None = None,
    within: float = 10.0,
    sure: float = 90.0,
    cut_off: float | None = None,
    strategy: str = "shardmill",
    history: Sequence[str] = (),
    seed: int = 0,
    out: str | None = None,
    say: Callable[[str], None] | None = None,
) -> PickResult:
    """Find the cheapest cluster shape for a job, in as few paid trial runs as possible.

    Each run teaches what to expect of the shapes not yet tried; the search ends when it is probable enough that none of
    them is much better than the best so far. Failed runs are paid for and learnt from. With `trace`, runs come from a
    table of measured ones and cost nothing.

    Args:
        trace: A CSV file of measured runs, as sweep writes it, to replay the search on.
        workload: Which workload of the trace; needed where it has several.
        objective: What to make small: the cost of a run, or its time.
        deadline: Seconds that a run may take at most; a slower shape is no answer.
        max_run_cost: USD that a run may cost at most; a dearer shape is no answer.
        budget: USD for all trials together; a run that would pass it is not started, or is stopped.
        max_runs: Trials at most.
        within: Per cent from the best shape that counts as good enough.
        sure: Per cent of probability with which it must be.
        cut_off: Stop a trial once it has cost (or taken) this many times the best so far, such as 1.5.
        strategy: How to search: shardmill, cherrypick, ernest, coordinate, random or exhaustive.
        history: CSV files of other workloads' runs on the same shapes, to begin from.
        seed: Of what is drawn by lot.
        out: Run folder: state for resuming, result and picture, for a report.
        say: Called with each line of what is known after a trial.

    Returns:
        The pick with its expected cost and time, how sure it is, and what the search cost.

    Raises:
        UsageError: the trace cannot be read, an option makes no sense, or `out` holds another run.
    """
    if trace is None:
        raise UsageError("name a table of measured runs with --trace: a CSV file that sweep wrote.")
    limits = Limits(
        budget_usd=None if budget is None else _above("--budget", budget, 0.0),
        max_runs=None if max_runs is None else in_range("--max-runs", max_runs, 1),
        cut_off=None if cut_off is None else _above("--cut-off", cut_off, 1.0),
    )
    goal = goal_of(within, sure)
    name, rows = one_workload(read_trace(trace), workload)
    runner = Replay(rows, seed)
    problem = Problem(
        runner.shapes,
        objective,
        None if deadline is None else _above("--deadline", deadline, 0.0),
        None if max_run_cost is None else _above("--max-run-cost", max_run_cost, 0.0),
        margin=MARGIN,
    )
    past = _history(history, name)
    request = {
        "trace": str(Path(trace).expanduser().resolve()),
        "trace_sha256": _sha256(rows),
        "workload": name,
        "objective": objective,
        "deadline_s": deadline,
        "max_run_usd": max_run_cost,
        "strategy": strategy,
        "seed": seed,
        "history": [str(Path(one).expanduser().resolve()) for one in history],
    }
    searcher = make_strategy(strategy, problem, seed, goal, past)
    state = SearchState.begin(out, request)
    last: Step | None = None
    for last in search(problem, searcher, runner, limits, state.paid):
        state.keep(last.trials)
        if say is not None:
            for line in step_lines(problem, last, within):
                say(line)
    assert last is not None  # a search has at least one step
    every = [runner.paid_usd(runner.run(shape)) for shape in range(len(problem.shapes))]
    result = result_of(
        problem,
        last,
        workload=name,
        strategy=strategy,
        within=within,
        folder=out,
        exhaustive_usd=math.fsum(every),
    )
    state.finish(result)
    return result


def _above(flag: str, value: float, low: float) -> float:
    if not value > low:
        raise UsageError(f"{flag} is {value:g}; it takes a number above {low:g}")
    return value


def _history(traces: Sequence[str], workload: str) -> list[tuple[TraceRow, ...]]:
    """The workloads of `traces`, but for the one that is searched."""
    loaded = [workloads(read_trace(trace)) for trace in traces]
    return [rows for split in loaded for name, rows in split.items() if name != workload]


def _sha256(rows: Sequence[TraceRow]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()
