"""`shardmill pick`: the cheapest (or fastest) cluster shape, in as few paid trial runs as possible."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shardmill.arguments import checked
from shardmill.clusters.base import unheard
from shardmill.clusters.open import open_provider
from shardmill.clusters.prices import price_table
from shardmill.errors import UsageError
from shardmill.operations.pick.bench import goal_of
from shardmill.operations.pick.live import ClusterRunner
from shardmill.operations.pick.result import PickResult, result_of, step_lines
from shardmill.operations.pick.state import SearchState
from shardmill.operations.sweep.make import Maker
from shardmill.operations.sweep.run import check_job, check_shapes, plain
from shardmill.search.base import MARGIN, Objective, Problem
from shardmill.search.experience import make_strategy
from shardmill.search.loop import Limits, Paid, Step, TrialRunner, search
from shardmill.search.replay import Replay, one_workload, workloads
from shardmill.search.shapes import Shape
from shardmill.storage.local import LocalStore
from shardmill.sweep.budget import Budget
from shardmill.sweep.evidence import Evidence
from shardmill.sweep.pricing import pricing
from shardmill.sweep.request import read_request
from shardmill.sweep.row import rows_of
from shardmill.sweep.table import write_results, write_sweep_trace
from shardmill.traces import TraceRow, read_trace
from shardmill.units import in_range


@checked
def pick(
    spec: str | None = None,
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
    prices: str | None = None,
    out: str | None = None,
    check_words: Callable[[Sequence[str]], None] | None = None,
    say: Callable[[str], None] | None = None,
    on_output: Callable[[str], None] | None = None,
) -> PickResult:
    """Find the cheapest cluster shape for a job, in as few paid trial runs as possible.

    Each run teaches what to expect of the shapes not yet tried; the search ends when it is probable enough that none of
    them is much better than the best so far. Failed runs are paid for and learnt from. Trials are real runs of the job
    that a sweep file names, each on a cluster of its own; with `trace`, they come from a table of measured runs and cost
    nothing. The same command goes on with a search that was stopped.

    Args:
        spec: YAML file as sweep takes it: the job, the shapes to choose from and the numbers of partitions.
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
        history: CSV files of other workloads' runs on the same shapes, to begin from; on measured workloads this made
            searches no shorter.
        seed: Of what is drawn by lot.
        prices: JSON file of prices to lay over the table that comes with shardmill.
        out: Run folder: state for resuming, result and picture, for a report; of live trials, by default
            runs/pick-<name of the file>.
        check_words: Called with the words of each command before anything is made; raises UsageError where one is wrong.
        say: Called with each line of what is known after a trial.
        on_output: Called with what the jobs print, in pieces.

    Returns:
        The pick with its expected cost and time, how sure it is, and what the search cost.

    Raises:
        UsageError: the file or trace cannot be read, an option makes no sense, the job is wrong, or `out` holds another run.
        ClusterError: a cluster could not be made, or may still be there; the message says how to delete it.
        ResumableError: a cluster was lost; the same command goes on.
    """
    if (spec is None) == (trace is None):
        raise UsageError(
            "name a sweep file to try its shapes, or a table of measured runs with --trace; one of the two."
        )
    asked = _Asked(
        objective,
        None if deadline is None else _above("--deadline", deadline, 0.0),
        None if max_run_cost is None else _above("--max-run-cost", max_run_cost, 0.0),
        Limits(
            budget_usd=None if budget is None else _above("--budget", budget, 0.0),
            max_runs=None if max_runs is None else in_range("--max-runs", max_runs, 1),
            cut_off=None if cut_off is None else _above("--cut-off", cut_off, 1.0),
        ),
        within,
        sure,
        strategy,
        tuple(str(Path(one).expanduser().resolve()) for one in history),
        seed,
        say or unheard,
    )
    if trace is not None:
        if prices is not None:
            raise UsageError("--prices is for trials on real clusters; a trace has its prices in it.")
        return _replayed(asked, trace, workload, out)
    assert spec is not None
    if workload is not None:
        raise UsageError("--workload is for --trace; a sweep file has one job.")
    return _live(asked, spec, prices, out, check_words, on_output or unheard)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a search is to find and how, wherever its trials come from."""

    objective: Objective
    deadline_s: float | None
    max_run_usd: float | None
    limits: Limits
    within: float
    sure: float
    strategy: str
    history: tuple[str, ...]
    seed: int
    say: Callable[[str], None]

    def problem(self, shapes: tuple[Shape, ...]) -> Problem:
        return Problem(shapes, self.objective, self.deadline_s, self.max_run_usd, margin=MARGIN)

    def request(self) -> dict[str, object]:
        """What must be the same for two searches to be one."""
        return {
            "objective": self.objective,
            "deadline_s": self.deadline_s,
            "max_run_usd": self.max_run_usd,
            "strategy": self.strategy,
            "seed": self.seed,
            "history": list(self.history),
        }

    def search(
        self, problem: Problem, runner: TrialRunner, workload: str, state: SearchState, done: Sequence[Paid]
    ) -> Step:
        """The last step, each having been told and kept."""
        past = _history(self.history, workload)
        searcher = make_strategy(self.strategy, problem, self.seed, goal_of(self.within, self.sure), past)
        last: Step | None = None
        for last in search(problem, searcher, runner, self.limits, done):
            state.keep(last.trials)
            for line in step_lines(problem, last, self.within):
                self.say(line)
        assert last is not None  # a search has at least one step
        return last


def _replayed(asked: _Asked, trace: str, workload: str | None, out: str | None) -> PickResult:
    name, rows = one_workload(read_trace(trace), workload)
    runner = Replay(rows, asked.seed)
    problem = asked.problem(runner.shapes)
    of_trace = {"trace": str(Path(trace).expanduser().resolve()), "trace_sha256": _sha256(rows), "workload": name}
    state = SearchState.begin(out, {**of_trace, **asked.request()})
    last = asked.search(problem, runner, name, state, state.paid)
    every = math.fsum(runner.paid_usd(runner.run(shape)) for shape in range(len(problem.shapes)))
    return _finished(asked, problem, last, name, state, out, every)


def _live(
    asked: _Asked,
    spec: str,
    prices: str | None,
    out: str | None,
    check_words: Callable[[Sequence[str]], None] | None,
    on_output: Callable[[str], None],
) -> PickResult:
    request, price = read_request(spec), pricing(price_table(prices))
    check_job(request, check_words)
    providers = cache(open_provider)
    check_shapes(request, providers)
    folder = out or f"runs/pick-{Path(spec).stem}"
    state = SearchState.begin(folder, {"job": plain(request), **asked.request()})
    assert state.folder is not None
    with LocalStore(str(state.folder)).lock():
        evidence = Evidence(state.folder)
        maker = Maker(request, evidence, price, Budget(asked.limits.budget_usd), providers, asked.say, on_output)
        runner = ClusterRunner(request, maker, price)
        problem = asked.problem(runner.shapes)
        try:
            last = asked.search(problem, runner, request.workload, state, runner.done(evidence.runs()))
        finally:
            maker.collect_usage()
            rows = rows_of(evidence.runs(), evidence.clusters(), price)
            if rows:
                write_results(state.folder, rows)
                write_sweep_trace(state.folder, request.workload, rows, request.shapes)
    return _finished(asked, problem, last, request.workload, state, folder, None)


def _finished(
    asked: _Asked,
    problem: Problem,
    last: Step,
    workload: str,
    state: SearchState,
    folder: str | None,
    exhaustive_usd: float | None,
) -> PickResult:
    result = result_of(
        problem,
        last,
        workload=workload,
        strategy=asked.strategy,
        within=asked.within,
        folder=folder,
        exhaustive_usd=exhaustive_usd,
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
