"""How the settings of the default search strategy were chosen, and what they are worth where they were not chosen.

    python benchmarks/search.py arrow.csv --other c3o.csv

Four parts, each with its tables: `choice` leaves each family of workloads out in turn, chooses a configuration of `GRID` on
the others, as measured and changed, and tells how it does on those left out; `robust` takes the settings as shipped to
changed traces and other traces; `deadlines` sets limits; `history` asks whether runs of other workloads help. A trial that
fails counts as a run everywhere. With 20 seeds it takes about half an hour on two cores, most of it for the grid.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from search_grid import DOUBTS, GRID
from search_perturbed import CHANGES, perturbed
from searches import HEAD, SURE, Done, Figures, Job, Rows, by_workload, figures, row, run_jobs, stop

from shardmill.search.replay import Replay, workloads
from shardmill.search.settings import SHIPPED
from shardmill.traces import read_trace

TRAINED_ON: Final = ("time limit", "memory floor", "noise", "cliff")
"""Changes that a configuration is chosen with; the others are for judging alone."""
GRID_SEEDS: Final = 12
CHANGED_SEEDS: Final = 2
PERCENTILES: Final = (10.0, 30.0, 50.0, 70.0, 90.0)

Jobs = dict[str, Rows]


@dataclass(frozen=True, slots=True)
class Score:
    """What a configuration is chosen by: runs in units of what was aimed at, and whether what it says is true."""

    doubt: float
    """The least of `DOUBTS` with which its statements are true often enough; the largest where none is."""
    runs: float
    """Mean of runs to within 10 % over 4, to the best over 7, and used over 8.5; runs as measured count as much as all
    changed ones."""
    true: float
    """Share of true statements as measured."""
    true_changed: float

    @property
    def allowed(self) -> bool:
        return self.true >= 0.90 and self.true_changed >= 0.80


def score(done: Sequence[Done]) -> Score:
    tried = [_score(done, doubt) for doubt in DOUBTS if 1.0 - 0.1 / doubt <= SURE]
    return next((one for one in tried if one.allowed), tried[-1])


def _score(done: Sequence[Done], doubt: float) -> Score:
    sure = 1.0 - 0.1 / doubt  # of searches with a doubt of 1, where one with this doubt would say 90 %
    parts = [figures([one for one in done if bool(one.job.change) == changed], sure) for changed in (False, True)]
    runs = [(one.to_10 / 4.0 + one.to_best / 7.0 + one.runs / 8.5) / 3.0 for one in parts]
    return Score(doubt, statistics.fmean(runs), parts[0].said_true, parts[1].said_true)


def choose(scores: Mapping[str, Score]) -> str:
    """The fewest runs of those whose statements are true often enough; where none is, the truest."""
    allowed = [name for name, one in scores.items() if one.allowed]
    if allowed:
        return min(allowed, key=lambda name: scores[name].runs)
    return max(scores, key=lambda name: min(scores[name].true, scores[name].true_changed))


def choice(jobs: Jobs, seeds: int, work: Path) -> dict[str, Any]:
    """Leave each family out in turn."""
    grid = run_jobs(
        [
            Job(name, settings, workload, change, changed(rows, change), CHANGED_SEEDS if change else GRID_SEEDS)
            for name, settings in GRID.items()
            for change in ("", *TRAINED_ON)
            for workload, rows in jobs.items()
        ],
        work,
    )
    families = list(dict.fromkeys(one.job.family for one in grid))
    own = {name: [one for one in grid if one.job.configuration == name] for name in GRID}
    folds = {
        left: {name: score([one for one in done if one.job.family != left]) for name, done in own.items()}
        for left in families
    }
    every = {name: score(done) for name, done in own.items()}
    chosen = {left: choose(scores) for left, scores in folds.items()}
    _print_scores({**folds, "none": every})
    print(
        f"\nevery configuration, {GRID_SEEDS} seeds as measured, stopped when 90 % sure with a doubt of 1; each workload alike"
    )
    print(f"{'':<18}{HEAD}")
    for name, done in own.items():
        print(f"{name:<18}{row(figures([one for one in done if not one.job.change]))}")
        print(f"{'  changed':<18}{row(figures([one for one in done if one.job.change]))}")
    todo = []
    for workload, rows in jobs.items():
        left = workload.split("_")[0]
        settings = replace(GRID[chosen[left]], doubt=folds[left][chosen[left]].doubt)
        todo.append(Job(f"{chosen[left]}, doubt {settings.doubt:g}", settings, workload, "", rows, seeds))
    left_out = run_jobs(todo, work)
    print(f"\nleft out, with what was chosen on the others, {seeds} seeds")
    table(left_out, lambda one: f"{one.job.workload}: {one.job.configuration}")
    curve(figures(left_out))
    return {
        "scores": {left: {name: asdict(one) for name, one in scores.items()} for left, scores in folds.items()},
        "scores_of_all": {name: asdict(one) for name, one in every.items()},
        "chosen": chosen,
        "chosen_of_all": choose(every),
        "left_out": asdict(figures(left_out)),
        "left_out_by_workload": {name: asdict(figures(done)) for name, done in by_workload(left_out).items()},
    }


def _print_scores(folds: Mapping[str, Mapping[str, Score]]) -> None:
    print("\nscores (runs over what was aimed at, with the calibrated doubt) by the family left out; * is chosen")
    print(f"{'':<18}" + "".join(f"{left:>16}" for left in folds))
    for name in GRID:
        cells = []
        for scores in folds.values():
            one = scores[name]
            mark = "*" if choose(scores) == name else "" if one.allowed else "-"
            cells.append(f"{mark:>4}{one.runs:>6.3f} {f'({one.doubt:g})':>5}")
        print(f"{name:<18}" + "".join(cells))
    print("- with no doubt are 90 % of its statements true as measured and 80 % of the changed ones")


def changed(rows: Rows, change: str) -> Rows:
    return perturbed(change, rows) if change else rows


def table(done: Sequence[Done], title: Callable[[Done], str]) -> None:
    width = max(len(title(one)) for one in done) + 2
    print(f"{'':<{width}}{HEAD}")
    for own in by_workload(done).values():
        print(f"{title(own[0]):<{width}}{row(figures(own))}")
    print(f"{'mean':<{width}}{row(figures(done))}")


def curve(one: Figures) -> None:
    print("best so far over the best shape, after so many runs (no run that ended well counts as 100 %):")
    print("  ".join(f"{count}: {value:.0%}" for count, value in enumerate(one.curve[:15], start=1)))


def robust(jobs: Jobs, others: Mapping[str, Jobs], seeds: int, work: Path) -> dict[str, Any]:
    """The settings as shipped, on changed traces and on others."""
    sets = {"as measured": [(name, "", rows) for name, rows in jobs.items()]}
    sets |= {change: [(name, change, perturbed(change, rows)) for name, rows in jobs.items()] for change in CHANGES}
    sets |= {stem: [(name, "", rows) for name, rows in own.items()] for stem, own in others.items()}
    told: dict[str, Any] = {}
    print(f"\nas shipped, {seeds} seeds; fail: shapes of a workload whose run failed")
    print(f"{'':<22}{'fail':>6}{HEAD}")
    for name, own in sets.items():
        done = run_jobs([Job("shipped", SHIPPED, *one, seeds) for one in own], work)
        fail = statistics.fmean(sum(run.status != "ok" for run in rows) for _, _, rows in own)
        print(f"{name:<22}{fail:>6.1f}{row(figures(done))}")
        told[name] = {"failing_shapes": fail} | asdict(figures(done))
    return told


def deadlines(sets: Mapping[str, Jobs], seeds: int, work: Path) -> dict[str, Any]:
    """Deadlines at percentiles of the run times; stopped when 90 % sure."""
    told: dict[str, Any] = {}
    print(
        f"\ndeadlines, as shipped, {seeds} seeds: searches whose pick was run and meets the deadline; its cost over the"
    )
    print("cheapest shape that meets it (mean, 90th percentile); runs used")
    for stem, jobs in sets.items():
        for percentile in PERCENTILES:
            todo = [
                Job("shipped", SHIPPED, name, "", rows, seeds, limit(rows, percentile), sure=0.9)
                for name, rows in jobs.items()
            ]
            done = run_jobs(todo, work)
            kept, over, runs = [], [], []
            for one in done:
                for search in one.searches:
                    kept.append(search.keeps_limits)
                    over.append(search.over_optimum)
                    runs.append(stop(search, 0.9))
            finite = [value for value in over if math.isfinite(value)]
            print(
                f"{stem:<12}{percentile:>5.0f} %{statistics.fmean(kept):>8.1%}{statistics.fmean(finite):>8.1%}"
                f"{float(np.quantile(finite, 0.9)):>8.1%}{statistics.fmean(runs):>7.1f}"
            )
            told[f"{stem} {percentile:g}"] = {
                "keeps": statistics.fmean(kept),
                "over": statistics.fmean(finite),
                "runs": statistics.fmean(runs),
            }
    return told


def limit(rows: Rows, percentile: float) -> float:
    times = Replay(rows).true_runtimes_s()
    return float(np.percentile(times[np.isfinite(times)], percentile))


def history(jobs: Jobs, seeds: int, work: Path) -> dict[str, Any]:
    """Runs of other workloads known before the first run."""

    def known(workload: str, kind: str) -> tuple[Rows, ...]:
        family = workload.split("_")[0]
        return tuple(
            rows
            for name, rows in jobs.items()
            if name != workload
            and (name.split("_")[0] == family) == (kind == "same job, other size")
            and kind != "none"
        )

    told: dict[str, Any] = {}
    print(f"\nwhat is known before the first run, as shipped, {seeds} seeds")
    print(f"{'':<34}{HEAD}")
    for kind, share in (
        ("none", 0.0),
        ("other families", 0.3),
        ("other families", 0.7),
        ("same job, other size", 0.3),
        ("same job, other size", 0.7),
    ):
        done = run_jobs(
            [
                Job(kind, replace(SHIPPED, history_share=share), name, "", rows, seeds, None, known(name, kind))
                for name, rows in jobs.items()
            ],
            work,
        )
        label = kind if kind == "none" else f"{kind}, weight {share:g}"
        print(f"{label:<34}{row(figures(done))}")
        told[label] = asdict(figures(done))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument(
        "--other", type=Path, action="append", default=[], help="further traces that nothing is chosen on"
    )
    parser.add_argument("--part", action="append", choices=("choice", "robust", "deadlines", "history"), default=[])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--work", type=Path, default=Path("build/search"), help="where searches are kept")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    jobs = dict(workloads(read_trace(arguments.trace)))
    others = {path.stem: dict(workloads(read_trace(path))) for path in arguments.other}
    parts = arguments.part or ["choice", "robust", "deadlines", "history"]
    told: dict[str, Any] = {}
    if "choice" in parts:
        told["choice"] = choice(jobs, arguments.seeds, arguments.work)
    if "robust" in parts:
        told["robust"] = robust(jobs, others, arguments.seeds, arguments.work)
    if "deadlines" in parts:
        sets = {arguments.trace.stem: jobs, **others}
        told["deadlines"] = deadlines(sets, arguments.seeds, arguments.work)
    if "history" in parts:
        told["history"] = history(jobs, arguments.seeds, arguments.work)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
