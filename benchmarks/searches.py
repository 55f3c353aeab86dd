"""Many searches at once, kept on disk so that a benchmark that was stopped goes on."""

from __future__ import annotations

import hashlib
import os
import pickle
import statistics
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np

import shardmill.search
from shardmill.machine import available_cores
from shardmill.search.base import Goal, Problem
from shardmill.search.bench import Search, run_search
from shardmill.search.history import as_trials
from shardmill.search.physical import PhysicalStrategy
from shardmill.search.settings import Settings
from shardmill.traces import TraceRow

GOAL: Final = 0.10
"""What "within x %" means here."""
SURE: Final = 0.95
"""Searches go on until they are this sure, so that what a lower probability would have done can be read off them."""

Rows = tuple[TraceRow, ...]


@dataclass(frozen=True)
class Job:
    """Searches of one workload with one configuration."""

    configuration: str
    settings: Settings
    workload: str
    change: str
    """What was done to the trace; empty for the runs as measured."""
    rows: Rows
    seeds: int
    deadline_s: float | None = None
    history: tuple[Rows, ...] = ()
    sure: float = SURE

    @property
    def family(self) -> str:
        """Workloads that are the same job on data of another size."""
        return self.workload.split("_")[0]


@dataclass(frozen=True)
class Done:
    """A job and its searches."""

    job: Job
    searches: tuple[Search, ...]


def run_jobs(jobs: Sequence[Job], work: Path) -> list[Done]:
    """All searches of `jobs`, in order; those that `work` has of the same code are not run again."""
    work.mkdir(parents=True, exist_ok=True)
    places = [_place(work, job) for job in jobs]
    missing = [(job, place) for job, place in zip(jobs, places, strict=True) if not place.exists()]
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the processes are as many as the cores
    with ProcessPoolExecutor(available_cores(), mp_context=get_context("spawn")) as pool:
        for count, _ in enumerate(
            pool.map(_run, [job for job, _ in missing], [place for _, place in missing]), start=1
        ):
            if count % 20 == 0 or count == len(missing):
                print(f"  {count} of {len(missing)} jobs done", flush=True)
    return [Done(job, pickle.loads(place.read_bytes())) for job, place in zip(jobs, places, strict=True)]


_CODE: Final = ("base", "bench", "gaussian", "physical", "replay", "shapes", "surfaces")
"""Modules of `shardmill.search` that the searches here depend on; the settings are in the job itself."""


@cache
def _code(*names: str) -> bytes:
    folder = Path(shardmill.search.__file__).parent
    return b"".join((folder / f"{name}.py").read_bytes() for name in names)


def _place(work: Path, job: Job) -> Path:
    """Where the searches of `job` are kept; another place once the code has changed."""
    code = _code(*_CODE, "history") if job.history else _code(*_CODE)
    return work / f"{hashlib.sha256(code + repr(job).encode()).hexdigest()[:24]}.pickle"


def _run(job: Job, place: Path) -> None:
    def factory(problem: Problem, seed: int, goal: Goal) -> PhysicalStrategy:
        known = [as_trials(problem, rows) for rows in job.history]
        return PhysicalStrategy(problem, seed, goal, job.settings, known)

    search = partial(
        run_search, job.rows, "shardmill", deadline_s=job.deadline_s, goal=Goal(GOAL, job.sure), factory=factory
    )
    found = tuple(search(seed=seed) for seed in range(job.seeds))
    draft = place.with_suffix(".part")
    draft.write_bytes(pickle.dumps(found))
    draft.replace(place)


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over searches; each workload counts alike."""

    to_20: float
    """Trials until one was within 20 % of the best shape, failed ones counted."""
    to_10: float
    to_best: float
    runs: float
    """Trials when the search was as sure as it was asked to be."""
    over: float
    """What the pick costs over the best shape."""
    over_p90: float
    said_early: float
    """Share that were sure within ten runs."""
    said_true: float
    """Share in which what they were sure of was true."""
    curve: tuple[float, ...]
    """Cost of the best so far over that of the best shape after 1, 2, … 20 trials; at most 1 more, also without any."""


def stop(search: Search, sure: float) -> int:
    """Trials when `search` first said to be so sure; all of them where it never did."""
    for count, confidence in enumerate(search.confidences):
        if confidence is not None and confidence >= sure and count:
            return count
    return len(search.curve)


def figures(done: Iterable[Done], sure: float = 0.9) -> Figures:
    searches = [search for one in done for search in one.searches]
    stops = [stop(search, sure) for search in searches]
    over = [search.curve[at - 1] for search, at in zip(searches, stops, strict=True)]
    return Figures(
        to_20=statistics.fmean(search.runs_to[0] for search in searches),
        to_10=statistics.fmean(search.runs_to[1] for search in searches),
        to_best=statistics.fmean(search.runs_to[2] for search in searches),
        runs=statistics.fmean(stops),
        over=statistics.fmean(over),
        over_p90=float(np.quantile(over, 0.9)),
        said_early=statistics.fmean(at <= 10 for at in stops),
        said_true=statistics.fmean(one <= GOAL + 1e-9 for one in over),
        curve=tuple(
            statistics.fmean(min(1.0, search.curve[min(count, len(search.curve)) - 1]) for search in searches)
            for count in range(1, 21)
        ),
    )


HEAD: Final = f"{'<20%':>7}{'<10%':>7}{'best':>7}  {'runs':>6}{'mean':>8}{'p90':>8}{'true':>7}{'in ten':>8}"


def row(one: Figures) -> str:
    """`one` under `HEAD`."""
    return (
        f"{one.to_20:>7.2f}{one.to_10:>7.2f}{one.to_best:>7.2f}  {one.runs:>6.2f}{one.over:>8.1%}{one.over_p90:>8.1%}"
        f"{one.said_true:>7.0%}{one.said_early:>8.0%}"
    )


def by_workload(done: Iterable[Done]) -> Mapping[str, list[Done]]:
    split: dict[str, list[Done]] = {}
    for one in done:
        split.setdefault(one.job.workload, []).append(one)
    return split
